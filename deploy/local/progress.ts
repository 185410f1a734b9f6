/** Progress of a deployment in a terminal: bars that move on a TTY, a line for each change otherwise. */
import type { Writable } from 'node:stream';
import type { Deployment, Target } from '../lab/rest.ts';

const barWidth = 28;

export function createProgress(
  out: Writable & { isTTY?: boolean; rows?: number },
): (targets: Target[]) => void {
  return out.isTTY ? movingBars(out) : plainLines(out);
}

function movingBars(out: Writable & { rows?: number }): (targets: Target[]) => void {
  let drawn = 0;
  return (targets) => {
    // A fleet taller than the screen: those under way first, then a count of the rest.
    const room = Math.max(3, (out.rows ?? 24) - 4);
    const shown = targets.length <= room ? targets : [...targets].sort(byActivity).slice(0, room);
    const lines = shown.map(line);
    if (shown.length < targets.length) lines.push(`  … and ${targets.length - shown.length} more`);
    const up = drawn ? `\x1b[${drawn}A` : '';
    out.write(`${up}${lines.map((l) => `\x1b[2K${l}`).join('\n')}\n\x1b[J`);
    drawn = lines.length;
  };
}

function byActivity(a: Target, b: Target): number {
  const rank = (t: Target) => (isMoving(t) ? 0 : t.state === 'succeeded' ? 2 : 1);
  return rank(a) - rank(b) || (a.device < b.device ? -1 : 1);
}

function isMoving(t: Target): boolean {
  return ['sent', 'accepted', 'downloading', 'installing', 'cancelling'].includes(t.state);
}

function line(t: Target): string {
  const part = t.totalBytes ? t.receivedBytes / t.totalBytes : 0;
  const full = Math.round(part * barWidth);
  const bar = '█'.repeat(full) + '░'.repeat(barWidth - full);
  const rate = t.state === 'downloading' && t.bytesPerSecond ? `${formatBytes(t.bytesPerSecond)}/s` : '';
  const why = t.error ? t.error.code : rate;
  return `  ${t.device}  ${bar}  ${String(Math.round(part * 100)).padStart(3)} %  ${t.state.padEnd(11)} ${why}`;
}

function plainLines(out: Writable): (targets: Target[]) => void {
  const last = new Map<string, string>();
  return (targets) => {
    for (const t of targets) {
      const quarter = t.totalBytes ? Math.floor((t.receivedBytes / t.totalBytes) * 4) * 25 : 0;
      const text =
        t.state === 'downloading'
          ? `downloading ${quarter} %`
          : t.error
            ? `${t.state} (${t.error.code})`
            : t.state;
      if (last.get(t.device) === text) continue;
      last.set(t.device, text);
      out.write(`  ${t.device}  ${text}\n`);
    }
  };
}

export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${Math.round(bytes)} B`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(0)} KiB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

/** The summary line and the figures that the README's section "Experiments" names. */
export function summarize(deployments: Deployment[]): { text: string; allSucceeded: boolean } {
  const total = sum(deployments.map((d) => d.total));
  const succeeded = sum(deployments.map((d) => d.counts.succeeded ?? 0));
  const weighted = deployments.filter((d) => d.figures.meanDownloadMs !== null);
  const meanMs = weighted.length
    ? sum(weighted.map((d) => d.figures.meanDownloadMs! * (d.counts.succeeded ?? 0))) /
      sum(weighted.map((d) => d.counts.succeeded ?? 0))
    : null;
  const text = [
    `${succeeded}/${total} succeeded`,
    `  success rate        ${total ? ((100 * succeeded) / total).toFixed(1) : '–'} %`,
    `  mean download time  ${meanMs === null ? '–' : `${(meanMs / 1000).toFixed(2)} s`}`,
    `  resumed downloads   ${sum(deployments.map((d) => d.figures.resumedDownloads))}`,
  ].join('\n');
  return { text, allSucceeded: total > 0 && succeeded === total };
}

function sum(numbers: number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
