import { createHash } from 'node:crypto';
import type { Target } from '../rest.ts';
import type { DeviceReport } from './messages.ts';

/** Times in ms, shares in percent; null where there was nothing to measure. */
export interface Figures {
  devices: number;
  /** Of the devices that got the good image. */
  successPercent: number | null;
  /** Devices whose word and whose flash disagree with what the server says of them. */
  disagreements: number;
  downloadMeanMs: number | null;
  downloadMedianMs: number | null;
  downloadP95Ms: number | null;
  downloadP99Ms: number | null;
  progressMessagesPerDevice: number | null;
  messagesPerDevice: number | null;
  /** Devices with the good image whose download was broken at least once, and how many of those went on from a checkpoint to a success. */
  interruptedDevices: number;
  recoveryPercent: number | null;
  /** Devices that got the bad image, and how many of those run their old one. */
  badImageDevices: number;
  rollbackPercent: number | null;
  /** Of the fleet, devices that ever installed a bad image. */
  exposedPercent: number;
  receivedBytes: number;
  redownloadedBytes: number;
  /** Of the bytes that the images have. */
  redownloadPercent: number | null;
  to50Ms: number | null;
  to90Ms: number | null;
  to99Ms: number | null;
  to100Ms: number | null;
  /** Until all were connected again after the last power cut of all. */
  reconnectMs: number | null;
  /** Devices that got a new certificate. */
  renewedPercent: number;
  crashedProcesses: number;
  /** Peak memory of the device processes over the devices. */
  bytesPerDevice: number | null;
  /** Processor time of the device processes over the devices. */
  processorMsPerDevice: number | null;
}

export interface Measured {
  /** Ids. */
  good: string[];
  bad: string[];
  goodSha256: string;
  badSha256: string;
  imageBytes: number;
  /** ms since 1970 by the server's clock. */
  deployedAt: number | null;
  targets: Pick<Target, 'device' | 'state' | 'error' | 'updatedAt'>[];
  reports: DeviceReport[];
  peakBytes: number;
  processorMs: number;
  crashes: number;
  reconnectMs: number | null;
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function downloadTimes(measured: Measured): number[] {
  const succeeded = succeededOf(measured);
  return measured.reports
    .filter(({ id, stats }) => succeeded.has(id) && stats.downloadMs > 0)
    .map(({ stats }) => Math.round(stats.downloadMs))
    .sort((a, b) => a - b);
}

/** From the deployment to each success, ascending, by the server's clock. */
export function completionTimes({ good, targets, deployedAt }: Measured): number[] {
  const goodIds = new Set(good);
  return targets
    .filter(({ device, state }) => state === 'succeeded' && goodIds.has(device))
    .map(({ updatedAt }) => Math.max(0, Date.parse(updatedAt) - (deployedAt ?? 0)))
    .sort((a, b) => a - b);
}

export function failuresByCause(targets: Measured['targets']): Record<string, number> {
  const causes: Record<string, number> = {};
  for (const { state, error } of targets) {
    if (state === 'succeeded') continue;
    const cause = error ? `${state}: ${error.code}` : state;
    causes[cause] = (causes[cause] ?? 0) + 1;
  }
  return causes;
}

export function toFigures(measured: Measured): Figures {
  const { good, bad, reports, targets, goodSha256, badSha256, imageBytes } = measured;
  const devices = good.length + bad.length;
  const succeeded = succeededOf(measured);
  const byId = new Map(reports.map((report) => [report.id, report]));
  const downloads = downloadTimes(measured);
  const completions = completionTimes(measured);
  const share = (part: number, whole: number) => (whole === 0 ? null : round((100 * part) / whole));
  const total = (read: (report: DeviceReport) => number) => reports.reduce((sum, it) => sum + read(it), 0);
  const perDevice = (sum: number) => (reports.length === 0 ? null : round(sum / reports.length));
  const until = (part: number) => completions[Math.ceil(part * good.length) - 1] ?? null;
  const goodIds = new Set(good);
  const interrupted = reports.filter(({ id, interruptions }) => interruptions > 0 && goodIds.has(id));
  const recovered = interrupted.filter(({ id, stats }) => succeeded.has(id) && stats.resumes > 0);
  const rolledBack = bad.filter(
    (id) => byId.get(id)?.outcomes.includes('rolled_back') && byId.get(id)?.running?.sha256 !== badSha256,
  );
  const exposed = bad.filter((id) => byId.get(id)?.outcomes.some((it) => it !== 'failed'));
  const finished = reports.filter(({ stats }) => stats.receivedBytes > 0).length;
  return {
    devices,
    successPercent: share(succeeded.size, good.length),
    disagreements: targets.filter(({ device, state }) => {
      const sha256 = byId.get(device)?.running?.sha256;
      return sha256 !== undefined && (sha256 === goodSha256) !== (state === 'succeeded');
    }).length,
    downloadMeanMs: downloads.length ? Math.round(sum(downloads) / downloads.length) : null,
    downloadMedianMs: quantile(downloads, 0.5),
    downloadP95Ms: quantile(downloads, 0.95),
    downloadP99Ms: quantile(downloads, 0.99),
    progressMessagesPerDevice: perDevice(total((it) => it.progressMessages)),
    messagesPerDevice: perDevice(total((it) => it.messages)),
    interruptedDevices: interrupted.length,
    recoveryPercent: share(recovered.length, interrupted.length),
    badImageDevices: exposed.length,
    rollbackPercent: share(rolledBack.length, exposed.length),
    exposedPercent: share(exposed.length, devices) ?? 0,
    receivedBytes: total((it) => it.stats.receivedBytes),
    redownloadedBytes: total((it) => it.stats.redownloadedBytes),
    redownloadPercent: share(
      total((it) => it.stats.redownloadedBytes),
      finished * imageBytes,
    ),
    to50Ms: until(0.5),
    to90Ms: until(0.9),
    to99Ms: until(0.99),
    to100Ms: until(1),
    reconnectMs: measured.reconnectMs,
    renewedPercent: share(reports.filter(({ renewals }) => renewals > 0).length, devices) ?? 0,
    crashedProcesses: measured.crashes,
    bytesPerDevice: devices > 0 && measured.peakBytes > 0 ? Math.round(measured.peakBytes / devices) : null,
    processorMsPerDevice: devices > 0 && measured.processorMs > 0 ? measured.processorMs / devices : null,
  };
}

function succeededOf({ good, targets }: Measured): Set<string> {
  const goodIds = new Set(good);
  return new Set(
    targets.filter(({ device, state }) => state === 'succeeded' && goodIds.has(device)).map((t) => t.device),
  );
}

/** Of an ascending list, the nearest rank. */
export function quantile(sorted: number[], part: number): number | null {
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? null;
}

function sum(numbers: number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
