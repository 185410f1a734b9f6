import type { DeviceError } from '#emqx/protocol.ts';

/** How long a stage may be silent and how often an update is tried. Times in ms. */
export interface Policy {
  maxAttempts: number;
  ackTimeoutMs: number;
  downloadTimeoutMs: number;
  installTimeoutMs: number;
  cancelTimeoutMs: number;
  retryDelayMs: number;
}

export const defaultPolicy: Policy = {
  maxAttempts: 3,
  ackTimeoutMs: 60_000,
  downloadTimeoutMs: 10 * 60_000,
  installTimeoutMs: 10 * 60_000,
  cancelTimeoutMs: 10 * 60_000,
  retryDelayMs: 10_000,
};

/** Faults that another attempt may get over. The rest (a refused manifest, a failed self-test) would only repeat. */
const transient: ReadonlySet<string> = new Set<DeviceError['code'] | 'timed_out'>([
  'busy',
  'download_failed',
  'digest_mismatch',
  'size_mismatch',
  'storage_failed',
  'install_failed',
  'timed_out',
]);

export function isTransient(code: string): boolean {
  return transient.has(code);
}

/** Back-off before the next attempt: doubles, at most 32-fold; a fifth of it spreads devices that failed together. */
export function retryDelay(policy: Policy, attempt: number, deviceId: string): number {
  const base = policy.retryDelayMs * 2 ** Math.min(attempt - 1, 5);
  return Math.round(base * (1 + 0.2 * spread(`${deviceId}/${attempt}`)));
}

/** A number in [0, 1) that depends on the text alone, so that the machine stays a pure function (FNV-1a). */
function spread(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash / 2 ** 32;
}
