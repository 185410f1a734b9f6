import type { deadlineActions } from '#emqx/protocol.ts';
import { failureClasses } from './failures.ts';
import type { Signal } from './health/signals.ts';
import type { MaintenanceWindow } from './window.ts';

/** How long a stage may be silent and how often an update is tried. Times in ms. */
export interface Policy {
  maxAttempts: number;
  ackTimeoutMs: number;
  downloadTimeoutMs: number;
  installTimeoutMs: number;
  cancelTimeoutMs: number;
  retryDelayMs: number;
  /** From the first attempt on: for so long the application on a device may put installing and rebooting off. 0: it has no say. */
  deferralMs: number;
  /** What the device does then if the application still says no. */
  atDeadline: (typeof deadlineActions)[number];
}

/** What must hold within a wave. Percentages are of its devices, without those skipped. */
export interface Gate {
  /** The next wave waits for this many successes. */
  successPercent: number;
  /** More failures than this halt the rollout; 100 never does. */
  failurePercent: number;
  /** More devices than this that got the command and were not heard of again halt it; 100 never does. */
  silencePercent: number;
  /** How long the successes must stand before the next wave opens. */
  soakMs: number;
  /** Of the last wave where there is a control group: it is that group. */
  control?: true;
}

/** A wave reaches up to this many devices of the deployment, those of earlier waves included. */
export type Wave = Gate & { upTo: { count: number } | { percent: number } };

/** A part of the devices waits until all others have had the image for long enough, and is what those are compared with. */
export interface HealthPolicy {
  control: { count: number } | { percent: number };
  /** What becomes of the control group: the last wave, or left as it is. */
  afterwards: 'release' | 'keep';
  /** Decides with a device's id whether it is of the control group: the same again chooses the same. */
  seed: string;
  /** Nothing is judged below, on either side. */
  minDevices: number;
  /** No wave passes before its devices have been watched for so long. */
  minObservedMs: number;
  /** A device has restarted, or not, in each of these. */
  windowMs: number;
  signals: Signal[];
}

/** How a deployment goes out. Kept with the deployment as it was when it was made. */
export interface RolloutPolicy extends Policy {
  waves: Wave[];
  /** Attempts started in any 60 seconds, by all copies together; null: as fast as possible. */
  ratePerMinute: number | null;
  /** Attempts start only inside, by the clock of the device's region; null: at any time. */
  window: MaintenanceWindow | null;
  /**
   * A wave that has been open for so long is judged on the devices that it reached: those that were never sent the command and cannot
   * be reached do not count. Null: it waits for them.
   */
  gateTimeoutMs: number | null;
  /** For so long after the start, devices that come to match the selection join the last opened wave; null: none does. */
  lateJoinersMs: number | null;
  /** Null: nothing is compared. */
  health: HealthPolicy | null;
}

export const defaultPolicy: Policy = {
  maxAttempts: 3,
  ackTimeoutMs: 60_000,
  downloadTimeoutMs: 10 * 60_000,
  installTimeoutMs: 10 * 60_000,
  cancelTimeoutMs: 10 * 60_000,
  retryDelayMs: 10_000,
  deferralMs: 24 * 3_600_000,
  atDeadline: 'give_up',
};

/** Where silence would mean an outage of our own as likely as theirs (one wave for all), it does not halt. */
export const defaultGate = (waves: number): Gate => ({
  successPercent: 90,
  failurePercent: 20,
  silencePercent: waves > 1 ? 20 : 100,
  soakMs: 0,
});

export const defaultRollout: RolloutPolicy = {
  ...defaultPolicy,
  waves: [{ ...defaultGate(1), upTo: { percent: 100 } }],
  ratePerMinute: null,
  window: null,
  gateTimeoutMs: 24 * 3_600_000,
  lateJoinersMs: null,
  health: null,
};

/** Where each wave ends when there are `total` devices; waves that would be empty are left out. The last one takes all that is not `control`. */
export function cutWaves(waves: Wave[], total: number, control = 0): { gate: Gate; end: number }[] {
  const cut: { gate: Gate; end: number }[] = [];
  const rest = total - control;
  for (const [i, { upTo, ...gate }] of waves.entries()) {
    const end = i === waves.length - 1 ? rest : Math.min(reach(upTo, total), rest);
    if (end > (cut.at(-1)?.end ?? 0)) cut.push({ gate, end });
  }
  const last = cut.at(-1);
  if (control > 0 && last) cut.push({ gate: { ...last.gate, control: true }, end: total });
  return cut;
}

function reach(asked: Wave['upTo'], total: number): number {
  return 'count' in asked ? asked.count : Math.ceil((asked.percent / 100) * total - 1e-9);
}

/** How many of `total` devices are held back: never all of them. */
export function controlSize(health: HealthPolicy | null, total: number): number {
  return health === null ? 0 : Math.max(0, Math.min(reach(health.control, total), total - 1));
}

/** Another attempt may get over it. */
export function isTransient(reason: string): boolean {
  return (failureClasses as Record<string, string>)[reason] === 'transient';
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
