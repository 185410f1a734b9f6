/** The four plots of an experiment as SVG text: small, self-contained, and coloured by the page's own variables. */
import { stackSteps } from '#console/parts/stacked-steps.ts';
import type { Moment } from './report.ts';

const width = 420;
const height = 200;
const left = 44;
const right = 8;
const top = 8;
const bottom = 30;
const plotWidth = width - left - right;
const plotHeight = height - top - bottom;

/** Order is that of stacking; a state that is not listed is drawn as failed. */
const stateColors: [string, string][] = [
  ['succeeded', 'var(--good)'],
  ['installing', 'var(--c3)'],
  ['downloading', 'var(--c1)'],
  ['accepted', 'var(--c2)'],
  ['sent', 'var(--c4)'],
  ['pending', 'var(--faint)'],
];
const badColor = 'var(--bad)';

/** A step for each device, in the order of success; nothing when none succeeded. */
export function completionChart(completionsMs: number[], devices: number): string {
  if (completionsMs.length === 0) return '';
  const end = Math.max(1, completionsMs.at(-1)!);
  const x = scale(end, plotWidth, left);
  const y = (share: number) => top + plotHeight * (1 - share);
  let path = `M${left} ${y(0)}`;
  for (const [i, ms] of completionsMs.entries()) path += `H${x(ms)}V${y((i + 1) / devices).toFixed(1)}`;
  const marks = [0.5, 0.9, 0.99].map(
    (share) => `<line x1="${left}" x2="${width - right}" y1="${y(share)}" y2="${y(share)}" class="grid"/>`,
  );
  const body = `${marks.join('')}<path d="${path}" fill="none" stroke="var(--c1)" stroke-width="2"/>`;
  return chart('Devices updated over time', body, timeTicks(end, x), shareTicks(y));
}

export function statesChart(moments: Moment[]): string {
  const few = thin(moments, 120);
  const end = Math.max(1, few.at(-1)?.atMs ?? 1);
  const x = scale(end, plotWidth, left);
  const y = (share: number) => top + plotHeight * (1 - share);
  const known = stateColors.map(([state]) => state);
  const others = [...new Set(few.flatMap(({ states }) => Object.keys(states)))].filter(
    (s) => !known.includes(s),
  );
  const layers: [string, string][] = [...stateColors, ...others.map((s): [string, string] => [s, badColor])];
  const colors = new Map(layers);
  const stacked = stackSteps(few, [...colors.keys()], end, x, y);
  const areas = stacked.map(
    ({ state, points }) => `<polygon points="${points}" fill="${colors.get(state)}"/>`,
  );
  const shown = stacked.map(({ state }): [string, string] => [state, colors.get(state)!]);
  return chart('States over time', areas.join(''), timeTicks(end, x), shareTicks(y), shown);
}

export function downloadsChart(downloadsMs: number[]): string {
  if (downloadsMs.length === 0) return '';
  const end = Math.max(1, downloadsMs.at(-1)!);
  const bins = Array.from({ length: 24 }, () => 0);
  for (const ms of downloadsMs) bins[Math.min(bins.length - 1, Math.floor((ms / end) * bins.length))]!++;
  const most = roundUp(Math.max(2, ...bins));
  const x = scale(end, plotWidth, left);
  const step = plotWidth / bins.length;
  const bars = bins.map((n, i) => {
    const tall = (n / most) * plotHeight;
    return n === 0
      ? ''
      : `<rect x="${(left + i * step + 1).toFixed(1)}" y="${(top + plotHeight - tall).toFixed(1)}" width="${(step - 2).toFixed(1)}" height="${tall.toFixed(1)}" fill="var(--c1)"/>`;
  });
  const y = (n: number) => top + plotHeight * (1 - n / most);
  return chart('Download times', bars.join(''), timeTicks(end, x), countTicks(most, y));
}

export function throughputChart(moments: Moment[]): string {
  const few = thin(moments, 200);
  const end = Math.max(1, few.at(-1)?.atMs ?? 1);
  const most = roundUp(Math.max(1_000, ...few.map(({ bytesPerSecond }) => bytesPerSecond)));
  const x = scale(end, plotWidth, left);
  const y = (value: number) => top + plotHeight * (1 - value / most);
  const points = few.map((m) => `${x(m.atMs)},${y(m.bytesPerSecond).toFixed(1)}`).join(' ');
  const unit = most >= 1e6 ? ([1e6, 'MB/s'] as const) : ([1e3, 'kB/s'] as const);
  const ticks = [0, 0.5, 1].map((part): [number, string] => [
    y(part * most),
    `${((part * most) / unit[0]).toFixed(most / unit[0] < 10 ? 1 : 0)}`,
  ]);
  const line = `<polyline points="${points}" fill="none" stroke="var(--c1)" stroke-width="2"/>`;
  return chart(`Throughput, ${unit[1]}`, line, timeTicks(end, x), ticks);
}

function chart(
  title: string,
  body: string,
  xTicks: [number, string][],
  yTicks: [number, string][],
  legend: [string, string][] = [],
): string {
  const xs = xTicks.map(
    ([at, text], i) =>
      `<text x="${at}" y="${height - 12}" text-anchor="${i === xTicks.length - 1 ? 'end' : 'middle'}">${text}</text>`,
  );
  const ys = yTicks.map(
    ([at, text]) => `<text x="${left - 6}" y="${(at + 4).toFixed(1)}" text-anchor="end">${text}</text>`,
  );
  const axes = `<path d="M${left} ${top}V${top + plotHeight}H${width - right}" fill="none" class="axis"/>`;
  const keys = legend.map(
    ([name, color]) => `<span><i style="background:${color}"></i>${name.replace('_', ' ')}</span>`,
  );
  const key = keys.length > 0 ? `<div class="legend">${keys.join('')}</div>` : '';
  return `<figure><figcaption>${title}</figcaption><svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">${body}${axes}${xs.join('')}${ys.join('')}</svg>${key}</figure>`;
}

function scale(end: number, pixels: number, offset: number): (value: number) => number {
  return (value) => Math.round((offset + (value / end) * pixels) * 10) / 10;
}

function timeTicks(end: number, x: (ms: number) => number): [number, string][] {
  const digits = end < 100_000 ? 1 : 0;
  return [0, 0.5, 1].map((part) => [x(part * end), `${((part * end) / 1000).toFixed(digits)} s`]);
}

function shareTicks(y: (share: number) => number): [number, string][] {
  return [0, 0.5, 1].map((share) => [y(share), `${share * 100} %`]);
}

function countTicks(most: number, y: (n: number) => number): [number, string][] {
  return [0, most / 2, most].map((n) => [y(n), String(n)]);
}

/** To a number whose half is short, too. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 8, 10].map((n) => n * power).find((n) => n >= value)!;
}

function thin<T>(items: T[], most: number): T[] {
  const step = Math.ceil(items.length / most);
  return step <= 1 ? items : items.filter((_, i) => i % step === 0 || i === items.length - 1);
}
