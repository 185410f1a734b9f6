/**
 * The life of one update on one device, as a pure function: (target, event, now) → (target, commands). It decides everything;
 * the database only stores what it says. It must hold when events are lost, repeated, late or out of order.
 */
import type { DeviceError, DownloadStats, PatchFault } from '#emqx/protocol.ts';
import type { FailureReason } from './failures.ts';
import { isTransient, type Policy, retryDelay } from './policy.ts';
import { type deferrableSteps, failedStates, isOpen, type TargetState } from './states.ts';

export interface Failure {
  code: FailureReason;
  message?: string | undefined;
}

/** The application on the device puts the next step of the update off; until when (ISO 8601), if it can say. */
export interface Deferral {
  step: (typeof deferrableSteps)[number];
  reason: string;
  until: string | null;
}

/** Times are ms since 1970. `sha256` is the digest that the device must attest. */
export interface Target {
  readonly deploymentId: string;
  readonly deviceId: string;
  readonly component: string;
  readonly sha256: string;
  readonly version: string;
  readonly policy: Policy;
  readonly totalBytes: number;
  state: TargetState;
  /** Number of the present (or last) attempt; 0 before the first. */
  attempt: number;
  /** Attempts that no longer count: those before an operator had it tried again. */
  attemptsForgiven: number;
  cancelRequested: boolean;
  receivedBytes: number;
  bytesPerSecond: number | null;
  error: Failure | null;
  stats: DownloadStats | null;
  /** pending: not before this. */
  nextAttemptAt: number | null;
  /** When the present stage times out. */
  deadlineAt: number | null;
  /** Only while installing. */
  deferred: Deferral | null;
  /** Until when the application may put it off, attempts that follow included; null before the first. */
  deferralEndsAt: number | null;
  /** Its device has given up a patch that it was offered: it gets the whole image. */
  patchFault: PatchFault | null;
}

/** Why a request cannot be written down for a device. */
export type Unsendable = 'url_too_long' | 'command_too_large' | 'cannot_decrypt' | 'sealing_failed';

export type TargetEvent =
  | { type: 'dispatch' }
  | { type: 'subscribed' }
  | { type: 'tick' }
  | { type: 'cancel' }
  | { type: 'supersede' }
  /** It is of the control group, which never gets the image. */
  | { type: 'hold_back' }
  | { type: 'retry' }
  /** The command cannot be written down for a device: it would be refused unread. */
  | { type: 'unsendable'; attempt: number; code: Unsendable }
  | { type: 'ack'; attempt: number; accepted: boolean; error?: DeviceError }
  | {
      type: 'progress';
      attempt: number;
      stage: 'downloading' | 'verifying' | 'installing';
      receivedBytes: number;
      bytesPerSecond?: number;
      urlExpired?: boolean;
      deferred?: { until: string | null; reason: string } | null;
      patch?: PatchFault;
    }
  | {
      type: 'result';
      attempt: number;
      outcome: 'succeeded' | 'failed' | 'rolled_back';
      runningSha256: string;
      error?: DeviceError;
      stats?: DownloadStats;
    }
  | { type: 'booted'; runningSha256: string }
  | { type: 'cancel_ack'; attempt: number; cancelled: boolean; error?: DeviceError };

/** `request` makes a fresh URL when it is sent; `cancel` stops the attempt on the device. */
export interface TargetCommand {
  type: 'request' | 'cancel';
  attempt: number;
}

export interface Step {
  target: Target;
  commands: TargetCommand[];
}

export function step(target: Target, event: TargetEvent, now: number): Step {
  switch (event.type) {
    case 'dispatch':
      return dispatch(target, now);
    case 'subscribed':
      return subscribed(target);
    case 'tick':
      return tick(target, now);
    case 'cancel':
      return cancel(target, now);
    case 'supersede':
      return target.state === 'pending'
        ? stay(finish(target, 'skipped', { code: 'superseded' }))
        : stay(target);
    case 'hold_back':
      return target.state === 'pending'
        ? stay(finish(target, 'skipped', { code: 'control_group' }))
        : stay(target);
    case 'retry':
      return stay(tryAgain(target));
    case 'unsendable':
      return stay(unsendable(target, event, now));
    case 'booted':
      return attested(target, event.runningSha256) ? stay(succeed(target)) : stay(target);
    default:
      return fromDevice(target, event, now);
  }
}

type AttemptEvent = Exclude<Extract<TargetEvent, { attempt: number }>, { type: 'unsendable' }>;

function fromDevice(target: Target, event: AttemptEvent, now: number): Step {
  // An attested success stands whichever attempt brought it, and corrects a verdict that came too early.
  if (event.type === 'result' && event.outcome === 'succeeded' && attested(target, event.runningSha256)) {
    return stay(succeed(target, event.stats));
  }
  if (
    event.type === 'result' &&
    target.state === 'succeeded' &&
    !target.stats &&
    event.attempt === target.attempt
  ) {
    // The boot report came first; the result still brings the figures, or takes it back: the image did not stay.
    return event.outcome === 'rolled_back' && event.runningSha256 !== target.sha256
      ? stay(rollBack(target, event))
      : stay({ ...target, stats: event.stats ?? null });
  }
  if (event.type === 'cancel_ack') return cancelAck(target, event, now);
  if (waitsInVain(target, event)) return stopThere(target, Math.max(target.attempt, event.attempt));
  if (event.attempt !== target.attempt) return stay(target);
  switch (event.type) {
    case 'ack':
      return ack(target, event, now);
    case 'progress':
      return progress(target, event, now);
    case 'result':
      return result(target, event, now);
  }
}

function dispatch(target: Target, now: number): Step {
  if (target.state !== 'pending' || (target.nextAttemptAt ?? 0) > now) return stay(target);
  const attempt = target.attempt + 1;
  return {
    target: {
      ...target,
      state: 'sent',
      attempt,
      receivedBytes: 0,
      bytesPerSecond: null,
      error: null,
      nextAttemptAt: null,
      deadlineAt: now + target.policy.ackTimeoutMs,
      deferralEndsAt: target.deferralEndsAt ?? now + target.policy.deferralMs,
    },
    commands: [{ type: 'request', attempt }],
  };
}

/** The device is back and can hear us: what it may have missed is said again. Deadlines stay, or flapping would go on for ever. */
function subscribed(target: Target): Step {
  switch (target.state) {
    case 'sent':
    case 'accepted':
    case 'downloading':
      return { target, commands: [{ type: 'request', attempt: target.attempt }] };
    case 'cancelling':
      return { target, commands: [{ type: 'cancel', attempt: target.attempt }] };
    default:
      return stay(target);
  }
}

/** Only what no device can have yet: one that has accepted works on with the URL that it has, and times out if it needs another. */
function unsendable(
  target: Target,
  event: Extract<TargetEvent, { type: 'unsendable' }>,
  now: number,
): Target {
  if (target.state !== 'sent' || event.attempt !== target.attempt) return target;
  return failed(target, { code: event.code }, now);
}

function tick(target: Target, now: number): Step {
  if (target.deadlineAt === null || target.deadlineAt > now || !isOpen(target.state)) return stay(target);
  if (target.state === 'cancelling' || target.cancelRequested) {
    return stay(finish(target, 'timed_out', { code: 'timed_out', message: 'no answer to the cancel' }));
  }
  const error: Failure = { code: 'timed_out', message: `no news while ${target.state}` };
  return stay(retry(target, error, now) ?? finish(target, 'timed_out', error));
}

function cancel(target: Target, now: number): Step {
  // Between two attempts: after one that the device itself has ended, nothing runs there. It may still be at one that timed out;
  // then only its own word ends it.
  const nothingRuns = target.attempt === 0 || target.error?.code !== 'timed_out';
  if (target.state === 'pending' && nothingRuns) {
    return stay(finish({ ...target, cancelRequested: true }, 'cancelled', null));
  }
  if (!isOpen(target.state) || target.cancelRequested) return stay(target);
  return {
    target: {
      ...target,
      state: 'cancelling',
      cancelRequested: true,
      nextAttemptAt: null,
      deferred: null,
      deadlineAt: now + target.policy.cancelTimeoutMs,
    },
    commands: [{ type: 'cancel', attempt: target.attempt }],
  };
}

function cancelAck(target: Target, event: Extract<TargetEvent, { type: 'cancel_ack' }>, now: number): Step {
  const awaited = target.state === 'cancelling' || (target.state === 'timed_out' && target.cancelRequested);
  if (!awaited || event.attempt !== target.attempt) return stay(target);
  // A device that never got the request has nothing to stop.
  if (event.cancelled || event.error?.code === 'unknown_deployment')
    return stay(finish(target, 'cancelled', null));
  // Too late: the new image is being booted, and its own report decides. What has timed out stays closed, for another
  // update of the device may be under way by now; an attested success corrects it all the same.
  if (target.state === 'timed_out') return stay(target);
  return stay({ ...target, state: 'installing', deadlineAt: now + target.policy.installTimeoutMs });
}

function ack(target: Target, event: Extract<TargetEvent, { type: 'ack' }>, now: number): Step {
  if (stopsAgain(target)) return stopThere(target);
  if (target.state !== 'sent') return stay(target);
  if (!event.accepted) return stay(failed(target, event.error ?? { code: 'bad_request' }, now));
  return stay({ ...target, state: 'accepted', deadlineAt: now + target.policy.downloadTimeoutMs });
}

function progress(target: Target, event: Extract<TargetEvent, { type: 'progress' }>, now: number): Step {
  if (stopsAgain(target)) return stopThere(target);
  const installing = event.stage !== 'downloading';
  const before: TargetState[] = installing
    ? ['sent', 'accepted', 'downloading', 'installing']
    : ['sent', 'accepted', 'downloading'];
  if (!before.includes(target.state)) return stay(target);
  const state = installing ? 'installing' : 'downloading';
  // A device that gives a patch up begins again.
  const fellBack = event.patch !== undefined && target.patchFault === null;
  const known = fellBack ? 0 : target.receivedBytes;
  const receivedBytes = Math.min(Math.max(known, event.receivedBytes), target.totalBytes);
  // Only getting on buys time: a device that repeats itself without advancing times out like a silent one.
  const advanced = state !== target.state || receivedBytes > target.receivedBytes;
  const timeoutMs = installing ? target.policy.installTimeoutMs : target.policy.downloadTimeoutMs;
  const deferred = installing ? deferralAfter(target, event) : null;
  const next: Target = {
    ...target,
    state,
    receivedBytes,
    patchFault: target.patchFault ?? event.patch ?? null,
    bytesPerSecond: event.bytesPerSecond ?? (installing ? null : target.bytesPerSecond),
    deferred,
    // A device that waits for its application is not silent, whether it can be heard meanwhile or not: it has until the application's time
    // is over. One that was never told of an end has as long as it says so again.
    deadlineAt: deferred
      ? (target.deferralEndsAt ?? now) + timeoutMs
      : target.deferred || state !== target.state || fellBack
        ? now + timeoutMs
        : advanced
          ? prolong(target.deadlineAt, timeoutMs, now)
          : target.deadlineAt,
  };
  const wantsUrl = event.urlExpired && !installing && !target.cancelRequested;
  return { target: next, commands: wantsUrl ? [{ type: 'request', attempt: target.attempt }] : [] };
}

/**
 * In steps of an eighth, up: each move of a deadline is one in an index too, and a download moves it with every report. Nobody is given up
 * sooner than the policy says.
 */
function prolong(deadlineAt: number | null, timeoutMs: number, now: number): number {
  const leastAt = now + timeoutMs;
  return deadlineAt !== null && deadlineAt >= leastAt ? deadlineAt : leastAt + Math.round(timeoutMs / 8);
}

/** Reports overtake each other: one that does not speak of it ends only what stood before its stage. */
function deferralAfter(
  { deferred: before }: Target,
  { stage, deferred }: Extract<TargetEvent, { type: 'progress' }>,
): Deferral | null {
  if (deferred) return { step: stage === 'installing' ? 'reboot' : 'install', ...deferred };
  const goesOn = deferred === null || (stage === 'installing' && before?.step === 'install');
  return goesOn ? null : before;
}

function result(target: Target, event: Extract<TargetEvent, { type: 'result' }>, now: number): Step {
  if (!isOpen(target.state) || target.state === 'pending') return stay(target);
  const known = { ...target, stats: event.stats ?? target.stats };
  if (event.outcome === 'rolled_back') return stay(rollBack(known, event));
  const error: Failure =
    event.outcome === 'succeeded'
      ? { code: 'attestation_mismatch', message: 'the device reports success but runs another image' }
      : (event.error ?? { code: 'download_failed' });
  return stay(failed(known, error, now));
}

function rollBack(target: Target, event: Extract<TargetEvent, { type: 'result' }>): Target {
  return finish(target, 'rolled_back', event.error ?? { code: 'boot_failed' });
}

function attested(target: Target, runningSha256: string): boolean {
  if (runningSha256 !== target.sha256 || target.attempt === 0) return false;
  return (
    (isOpen(target.state) && target.state !== 'pending') || correctable(target.state) || waitsAgain(target)
  );
}

/** Verdicts that were made without the device's own word. */
function correctable(state: TargetState): boolean {
  return (failedStates as readonly TargetState[]).includes(state);
}

/** pending between two attempts: the first may still end well. */
function waitsAgain(target: Target): boolean {
  return target.state === 'pending' && target.attempt > 0;
}

function succeed(target: Target, stats?: DownloadStats): Target {
  const done = finish(target, 'succeeded', null);
  return { ...done, receivedBytes: target.totalBytes, stats: stats ?? target.stats };
}

function failed(target: Target, error: Failure, now: number): Target {
  return retry(target, error, now) ?? finish(target, 'failed', error);
}

/** Back to pending with a back-off, or null when the policy has no more attempts for this error. */
function retry(target: Target, error: Failure, now: number): Target | null {
  const used = target.attempt - target.attemptsForgiven;
  if (target.cancelRequested || !isTransient(error.code) || used >= target.policy.maxAttempts) return null;
  return {
    ...target,
    state: 'pending',
    error,
    bytesPerSecond: null,
    deadlineAt: null,
    deferred: null,
    nextAttemptAt: now + retryDelay(target.policy, target.attempt, target.deviceId),
  };
}

/** An operator wants new attempts of what did not end well; the error stays until the first of them. */
function tryAgain(target: Target): Target {
  if (!correctable(target.state) || target.cancelRequested) return target;
  return {
    ...target,
    state: 'pending',
    attemptsForgiven: target.attempt,
    stats: null,
    nextAttemptAt: null,
    deferralEndsAt: null,
    patchFault: null,
  };
}

function finish(target: Target, state: TargetState, error: Target['error']): Target {
  return {
    ...target,
    state,
    error,
    bytesPerSecond: null,
    deadlineAt: null,
    deferred: null,
    nextAttemptAt: null,
  };
}

/** The device works on what was cancelled (the cancel was lost, or the request overtook it). */
function stopsAgain(target: Target): boolean {
  return target.cancelRequested && (target.state === 'cancelled' || target.state === 'timed_out');
}

/**
 * Without a URL the device would wait for ever, and be busy for every other update. One that goes on without may still succeed. An attempt that
 * is not known here is of a database that was put back.
 */
function waitsInVain(target: Target, event: AttemptEvent): boolean {
  return event.type === 'progress' && event.urlExpired === true && !isOpen(target.state);
}

/** What is over here is to stop there too: a device stops the attempt that it is told, and those before. */
function stopThere(target: Target, attempt = target.attempt): Step {
  return { target, commands: [{ type: 'cancel', attempt }] };
}

function stay(target: Target): Step {
  return { target, commands: [] };
}
