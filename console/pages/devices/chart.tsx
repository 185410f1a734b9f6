import { createEffect, createSignal, type JSX, on, onCleanup, onMount } from 'solid-js';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Chart as ChartData } from '../../api.ts';
import { formatAxis, formatDateTime } from '../../format.ts';
import { language } from '../../i18n/i18n.ts';
import { browserZone, theme, timeZone } from '../../settings.ts';

const heightPx = 120;

/** Gaps longer than this many buckets are left open: nothing was measured there. */
const gapBuckets = 3;

/** Of one measurement there is no line. */
const isLone = (plot: uPlot) => [...plot.data[3]!].filter((value) => value !== null).length === 1;

function toColumns({ points, bucketMs, from, to }: ChartData): uPlot.AlignedData {
  const at: number[] = [];
  const columns: (number | null)[][] = [[], [], []];
  // The range that was asked for, also where nothing was measured.
  at.push(Date.parse(from) / 1000);
  for (const column of columns) column.push(null);
  let before = Number.NEGATIVE_INFINITY;
  for (const point of points) {
    const ms = Date.parse(point.at);
    if (ms - before > gapBuckets * bucketMs && Number.isFinite(before)) {
      at.push((before + bucketMs) / 1000);
      for (const column of columns) column.push(null);
    }
    at.push(ms / 1000);
    columns[0]!.push(point.min);
    columns[1]!.push(point.max);
    columns[2]!.push(point.avg);
    before = ms;
  }
  at.push(Date.parse(to) / 1000);
  for (const column of columns) column.push(null);
  return [at, ...columns] as uPlot.AlignedData;
}

function options(
  host: HTMLElement,
  format: (value: number) => string,
  onCursor: (index: number | null) => void,
): uPlot.Options {
  const style = getComputedStyle(host);
  // A canvas wants the colour itself, not what it depends on.
  const colour = (name: string) => {
    host.style.color = `var(${name})`;
    return style.color;
  };
  const axis = {
    stroke: colour('--ink-soft'),
    font: `11px ${style.getPropertyValue('--face')}`,
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
  };
  return {
    width: host.clientWidth,
    height: heightPx,
    legend: { show: false },
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), timeZone() ?? browserZone()),
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
    scales: {
      x: { time: true },
      y: {
        range: (_, low, high) => (low === high ? [low - 1, high + 1] : uPlot.rangeNum(low, high, 0.1, true)),
      },
    },
    axes: [
      {
        ...axis,
        size: 24,
        gap: 4,
        space: 72,
        values: (plot, ticks) => {
          const { min, max } = plot.scales.x!;
          return ticks.map((tick) => formatAxis(language(), tick * 1000, (max! - min!) * 1000));
        },
      },
      { ...axis, size: 64, gap: 4, values: (_, ticks) => ticks.map(format), space: 32 },
    ],
    series: [
      {},
      { stroke: 'transparent', points: { show: false } },
      { stroke: 'transparent', points: { show: false } },
      // Last, so that the band does not cover it.
      { stroke: colour('--accent'), width: 1.5, points: { show: isLone, size: 5 } },
    ],
    bands: [{ series: [2, 1], fill: colour('--accent-soft') }],
    hooks: { setCursor: [(plot) => onCursor(plot.cursor.idx ?? null)] },
  };
}

/** One measured value over time: its mean as a line, least and most as a band. The pointer reads values off. */
export function Chart(props: {
  data: ChartData;
  label: string;
  format: (value: number) => string;
  /** What the pointer is on, in words; null when it is not. */
  onRead: (text: string | null) => void;
}): JSX.Element {
  let host!: HTMLDivElement;
  let plot: uPlot | undefined;
  const [scheme, setScheme] = createSignal(0);

  const read = (index: number | null) => {
    const value = index === null ? null : plot?.data[3]?.[index];
    if (index === null || value === null || value === undefined) return props.onRead(null);
    const at = new Date(plot!.data[0][index]! * 1000).toISOString();
    props.onRead(`${props.format(value)} · ${formatDateTime(language(), at)}`);
  };
  const draw = () => {
    plot?.destroy();
    plot = new uPlot(options(host, props.format, read), toColumns(props.data), host);
  };

  onMount(() => {
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const again = () => setScheme((n) => n + 1);
    dark.addEventListener('change', again);
    const resized = new ResizeObserver(() => plot?.setSize({ width: host.clientWidth, height: heightPx }));
    resized.observe(host);
    // Colours are read from the page, which a canvas does not follow by itself.
    createEffect(on([scheme, theme, timeZone, language], draw));
    createEffect(
      on(
        () => [props.data.to, props.data.points.length],
        () => plot?.setData(toColumns(props.data)),
      ),
    );
    onCleanup(() => {
      dark.removeEventListener('change', again);
      resized.disconnect();
      plot?.destroy();
    });
  });

  return <div ref={host} class="plot" role="img" aria-label={props.label} />;
}
