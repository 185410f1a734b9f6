import { cpus } from 'node:os';
import {
  completionTimes,
  downloadTimes,
  type Figures,
  failuresByCause,
  type Measured,
  toFigures,
} from './figures.ts';
import type { ExperimentText } from './options.ts';
import type { Verdict } from './scenario.ts';

/** The fleet at one moment of the run. */
export interface Moment {
  atMs: number;
  /** Targets by state, as the server counts them. */
  states: Record<string, number>;
  online: number;
  bytesPerSecond: number;
}

export interface Report {
  name: string;
  about: string | null;
  at: string;
  options: ExperimentText;
  machine: string;
  /** `completed`, `halted`, `timed_out`, `interrupted` or `failed`. */
  state: string;
  /** Why it is not `completed`, and processes that crashed. */
  problems: string[];
  figures: Figures;
  failures: Record<string, number>;
  verdicts: Verdict[];
  /** Ascending, ms. */
  downloadsMs: number[];
  completionsMs: number[];
  moments: Moment[];
}

export function createReport(input: {
  name: string;
  about: string | null;
  at: Date;
  options: ExperimentText;
  state: string;
  problems: string[];
  measured: Measured;
  moments: Moment[];
}): Report {
  const { measured, at, ...rest } = input;
  return {
    ...rest,
    at: at.toISOString(),
    machine: `${cpus().length} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), Node ${process.versions.node}`,
    figures: toFigures(measured),
    failures: failuresByCause(measured.targets),
    verdicts: [],
    downloadsMs: downloadTimes(measured),
    completionsMs: completionTimes(measured),
  };
}

export function isGood(report: Report): boolean {
  if (report.verdicts.length > 0)
    return report.verdicts.every(({ met }) => met) && !['interrupted', 'failed'].includes(report.state);
  const { successPercent, rollbackPercent, disagreements } = report.figures;
  return (
    report.state === 'completed' &&
    (successPercent ?? 100) === 100 &&
    (rollbackPercent ?? 100) === 100 &&
    disagreements === 0
  );
}

const time = (ms: number | null) =>
  ms === null ? '–' : ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
const share = (percent: number | null) => (percent === null ? '–' : `${percent} %`);
export const bytes = (n: number | null) =>
  n === null
    ? '–'
    : n < 1e6
      ? `${(n / 1e3).toFixed(0)} kB`
      : n < 1e9
        ? `${(n / 1e6).toFixed(1)} MB`
        : `${(n / 1e9).toFixed(2)} GB`;
const plain = (n: number | null) => (n === null ? '–' : String(n));
export const format = { time, share, bytes, plain };

/** Name and value of each figure, for a terminal and for a page. */
export function describeFigures(f: Figures): [string, string][] {
  return [
    ['deployment success rate', share(f.successPercent)],
    ['download time, mean', time(f.downloadMeanMs)],
    [
      'download time, median / p95 / p99',
      [f.downloadMedianMs, f.downloadP95Ms, f.downloadP99Ms].map(time).join(' / '),
    ],
    ['time until 50 / 90 / 99 / 100 %', [f.to50Ms, f.to90Ms, f.to99Ms, f.to100Ms].map(time).join(' / ')],
    ['partial-download recovery rate', `${share(f.recoveryPercent)} of ${f.interruptedDevices} interrupted`],
    ['rollback success rate', `${share(f.rollbackPercent)} of ${f.badImageDevices} with a bad image`],
    [
      'bytes re-downloaded',
      `${bytes(f.redownloadedBytes)} of ${bytes(f.receivedBytes)} (${share(f.redownloadPercent)} of the images)`,
    ],
    [
      'messages per device',
      `${plain(f.messagesPerDevice)}, of them progress ${plain(f.progressMessagesPerDevice)}`,
    ],
    ...(f.reconnectMs === null
      ? []
      : [['all connected again after', time(f.reconnectMs)] as [string, string]]),
    ...(f.renewedPercent === 0
      ? []
      : [['devices with a renewed certificate', share(f.renewedPercent)] as [string, string]]),
    ['device processes, peak per device', bytes(f.bytesPerDevice)],
    [
      'processor time per device',
      f.processorMsPerDevice === null ? '–' : `${f.processorMsPerDevice.toFixed(1)} ms`,
    ],
  ];
}

export function describeReport(report: Report): string {
  const lines = [`${report.name}: ${report.state}, ${report.figures.devices} devices`];
  for (const [name, value] of describeFigures(report.figures)) lines.push(`  ${name.padEnd(36)} ${value}`);
  const failures = Object.entries(report.failures).sort((a, b) => b[1] - a[1]);
  if (failures.length > 0)
    lines.push(
      `  ${'not succeeded, by cause'.padEnd(36)} ${failures.map(([cause, n]) => `${cause} ${n}`).join(', ')}`,
    );
  for (const problem of report.problems) lines.push(`  ! ${problem}`);
  for (const { what, expected, found, met } of report.verdicts)
    lines.push(`  ${met ? 'met    ' : 'NOT MET'} ${what} ${expected}${met ? '' : ` (found ${found})`}`);
  return lines.join('\n');
}
