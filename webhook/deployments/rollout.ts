/**
 * The life of one deployment, as a pure function: (rollout, tallies, event, now) → (rollout, actions). It opens waves, halts, and
 * says how many targets may be started; `machine.ts` says what happens to each of them.
 */
import type { Judgement } from './health/verdict.ts';
import { findWorse, isObserved, observe, observeFrom, soakEndsAt, windowDueAt } from './health/windows.ts';
import type { Gate, RolloutPolicy } from './policy.ts';

export const rolloutStates = [
  'waiting_for_approval',
  'scheduled',
  'running',
  'paused',
  'halted',
  'completed',
  'cancelled',
] as const;
export type RolloutState = (typeof rolloutStates)[number];

export const haltReasons = ['failures', 'silence', 'gate_missed', 'health_worse'] as const;
export type HaltReason = (typeof haltReasons)[number];
export interface Halt {
  reason: HaltReason;
  wave: number;
  message: string;
  at: number;
  /** `health_worse`: which. */
  signals?: string[];
  /** What the message counts, for whoever says it in another language; `percent` is what was allowed. */
  figures?: HaltFigures;
}
export const haltMeasures = ['failed', 'silent', 'unreached', 'succeeded'] as const;
export interface HaltFigures {
  measure: (typeof haltMeasures)[number];
  devices: number;
  of: number;
  percent?: number;
}

/** One window of the comparison with the control group, which ended at `until`. */
export interface Observed {
  until: number;
  judgements: Judgement[];
}

/** Times are ms since 1970. */
export interface Rollout {
  readonly policy: RolloutPolicy;
  readonly startAt: number | null;
  state: RolloutState;
  /** Gates of the waves that have devices; null until the selection is resolved. */
  gates: Gate[] | null;
  /** The open wave: targets of it and of the earlier ones may be started. */
  wave: number;
  /** When the selection was resolved. */
  resolvedAt: number | null;
  /** When the open wave was opened, or last resumed. */
  waveOpenedAt: number | null;
  /** When devices that join were last looked for. */
  joinersSoughtAt: number | null;
  /** Since when the open wave has its successes. */
  soakSince: number | null;
  /** By wave: what an operator has seen and resumed in spite of. */
  forgiven: { failed: number; silent: number }[];
  /** Why it was halted; kept when it ends like that. */
  halted: Halt | null;
  /** Starts of the last minute. */
  recent: { at: number; count: number }[];
  health: {
    /** Up to when windows have been compared, or were left out. */
    until: number;
    /** `mixture` of the judgements, by signal. */
    mixtures: Record<string, number>;
    /** Signals that were worse when an operator resumed in spite of it. */
    forgiven: string[];
  } | null;
  finishedAt: number | null;
}

/** Targets of one wave. `silent`: timed out, for good or before another attempt; these are pending too. */
export interface Tally {
  pending: number;
  active: number;
  succeeded: number;
  failed: number;
  timedOut: number;
  silent: number;
  /** Skipped or cancelled: they say nothing about the firmware. */
  left: number;
  /** Of the pending: never sent, and not to be reached now. Only needed for a wave whose gate is overdue, as the next one is. */
  unreached: number;
  /** Of the pending: sent before, and not to be reached now. They count, for what they were sent may be why. */
  lost: number;
}

export type RolloutEvent =
  /** `registryChanged`: a device may have come to match the selection. `observed`: the window that was due (`windowDueAt`). */
  | { type: 'tick'; registryChanged?: boolean; observed?: Observed | undefined }
  | { type: 'resolved'; gates: Gate[] }
  | { type: 'dispatched'; count: number }
  | { type: 'approve' }
  | { type: 'refuse' }
  | { type: 'pause' }
  | { type: 'resume' }
  | { type: 'cancel' }
  | { type: 'retry_failed' };

/**
 * `resolve`: make the targets, then say `resolved`. `join`: make pending targets in that wave for devices that match now and have none.
 * `dispatch`: start at most `limit` of those waves, then say `dispatched`. `hold_back`: the control group never gets it.
 */
export type RolloutAction =
  | { type: 'resolve' }
  | { type: 'join'; wave: number }
  | { type: 'dispatch'; upToWave: number; limit: number }
  | { type: 'hold_back'; wave: number }
  | { type: 'cancel_targets' }
  | { type: 'retry_targets' };

export interface RolloutStep {
  rollout: Rollout;
  actions: RolloutAction[];
}

const minuteMs = 60_000;
/** Joiners are looked for when the registry changes, and so often in case nobody said so. */
const joinersEveryMs = 60_000;
/** From so many answers on, their share counts, and not only the share of the whole wave. */
const telling = 20;

/** `waits`: for a second person. */
export function createRollout(policy: RolloutPolicy, startAt: number | null, waits = false): Rollout {
  return {
    policy,
    startAt,
    state: waits ? 'waiting_for_approval' : 'scheduled',
    gates: null,
    wave: 0,
    resolvedAt: null,
    waveOpenedAt: null,
    joinersSoughtAt: null,
    soakSince: null,
    forgiven: [],
    halted: null,
    recent: [],
    health: null,
    finishedAt: null,
  };
}

/** `tallies` by wave; empty before the selection is resolved. An event that the state does not know changes nothing. */
export function stepRollout(
  rollout: Rollout,
  tallies: Tally[],
  event: RolloutEvent,
  now: number,
): RolloutStep {
  const { state } = rollout;
  switch (event.type) {
    case 'tick':
      return tick(observe(rollout, event.observed), tallies, event, now);
    case 'resolved':
      return stay(observeFrom({ ...rollout, gates: event.gates, resolvedAt: now, waveOpenedAt: now }, now));
    case 'dispatched':
      return stay(count(rollout, event.count, now));
    case 'approve':
      return stay(state === 'waiting_for_approval' ? { ...rollout, state: 'scheduled' } : rollout);
    case 'refuse':
      return stay(
        state === 'waiting_for_approval' ? { ...rollout, state: 'cancelled', finishedAt: now } : rollout,
      );
    case 'pause':
      return stay(state === 'running' || state === 'scheduled' ? { ...rollout, state: 'paused' } : rollout);
    case 'resume':
      if (state === 'halted') return stay(forgive(rollout, tallies, now));
      if (state !== 'paused') return stay(rollout);
      if (!rollout.gates) return stay({ ...rollout, state: 'scheduled' });
      return stay(observeFrom({ ...rollout, state: 'running', waveOpenedAt: now }, now));
    case 'cancel':
      if (state === 'completed' || state === 'cancelled') return stay(rollout);
      return {
        rollout: { ...rollout, state: 'cancelled', soakSince: null, finishedAt: now },
        actions: [{ type: 'cancel_targets' }],
      };
    case 'retry_failed':
      return retryFailed(rollout, tallies);
  }
}

/** When time alone will change something (null: only news of a target will). */
export function wakesAt(rollout: Rollout, tallies: Tally[], now: number): number | null {
  if (rollout.state === 'scheduled') return rollout.startAt ?? 0;
  if (!rollout.gates || rollout.finishedAt !== null) return null;
  const times: number[] = [];
  const later = (at: number | null) => {
    if (at !== null && at > now) times.push(at);
  };
  later(joinersUntil(rollout));
  if (rollout.state !== 'running') return times[0] ?? null;
  const gate = rollout.gates[rollout.wave];
  const soakedAt = gate && soakEndsAt(rollout);
  // Once it is over, the windows that are still to be compared are waited for.
  if (soakedAt && (soakedAt > now || isObserved(rollout))) times.push(soakedAt);
  const windowAt = windowDueAt(rollout);
  if (windowAt !== null) times.push(windowAt);
  if (rollout.wave < rollout.gates.length - 1) later(gateDueAt(rollout));
  if (takesJoiners(rollout, now)) times.push(soughtAt(rollout, now) + joinersEveryMs);
  // Their last look may have found nobody: then nothing but the completion is left.
  else if (joinersUntil(rollout) !== null && sum(tallies, isOpen) === 0) times.push(now);
  const [first] = inLastMinute(rollout, now);
  const waits = sum(tallies.slice(0, rollout.wave + 1), (t) => t.pending) > 0;
  if (first && waits && allowance(rollout, now) < 1) times.push(first.at + minuteMs);
  return times.length ? Math.min(...times) : null;
}

/**
 * The clock has jumped: what was is as long ago as before. Once is enough: later than now is nothing, and after a jump back only what
 * would be is moved.
 */
export function moveRollout(rollout: Rollout, byMs: number, now: number): Rollout {
  const move = (at: number) => (byMs > 0 ? Math.min(at + byMs, now) : at > now ? at + byMs : at);
  const orNull = (at: number | null) => (at === null ? null : move(at));
  return {
    ...observeFrom(rollout, now),
    resolvedAt: orNull(rollout.resolvedAt),
    waveOpenedAt: orNull(rollout.waveOpenedAt),
    joinersSoughtAt: orNull(rollout.joinersSoughtAt),
    soakSince: orNull(rollout.soakSince),
    recent: rollout.recent.map(({ at, count }) => ({ at: move(at), count })),
  };
}

/** The open wave has waited long enough for devices that cannot be reached: `unreached` and `lost` of its tally are needed from now on. */
export function isGateOverdue(rollout: Rollout, now: number): boolean {
  const dueAt = gateDueAt(rollout);
  return dueAt !== null && dueAt <= now && rollout.wave < (rollout.gates?.length ?? 0) - 1;
}

function gateDueAt({ policy, waveOpenedAt }: Rollout): number | null {
  if (policy.gateTimeoutMs === null || waveOpenedAt === null) return null;
  return waveOpenedAt + policy.gateTimeoutMs;
}

/** Until when devices join; null when none does. */
export function joinersUntil({ policy, resolvedAt }: Pick<Rollout, 'policy' | 'resolvedAt'>): number | null {
  if (policy.lateJoinersMs === null || resolvedAt === null) return null;
  return resolvedAt + policy.lateJoinersMs;
}

function soughtAt({ joinersSoughtAt, resolvedAt }: Rollout, now: number): number {
  return joinersSoughtAt ?? resolvedAt ?? now;
}

function takesJoiners(rollout: Rollout, now: number): boolean {
  return (joinersUntil(rollout) ?? 0) > now;
}

/** A last look for those who came just before their time was over, or while it was paused. */
function owesJoiners(rollout: Rollout, now: number): boolean {
  const until = joinersUntil(rollout);
  return rollout.state === 'running' && until !== null && until <= now && soughtAt(rollout, now) < until;
}

type Tick = Extract<RolloutEvent, { type: 'tick' }>;

function tick(rollout: Rollout, tallies: Tally[], event: Tick, now: number): RolloutStep {
  const { registryChanged = false, observed } = event;
  if (rollout.state === 'scheduled') {
    if ((rollout.startAt ?? 0) > now) return stay(rollout);
    return { rollout: { ...rollout, state: 'running' }, actions: [{ type: 'resolve' }] };
  }
  if (!rollout.gates || rollout.state === 'completed' || rollout.state === 'cancelled') return stay(rollout);
  const owed = owesJoiners(rollout, now);
  const joins = owed || takesJoiners(rollout, now);
  // Also when paused or halted: nothing is left that anybody could decide about.
  if (sum(tallies, isOpen) === 0 && !joins) {
    return stay({ ...rollout, state: 'completed', soakSince: null, finishedAt: now });
  }
  if (rollout.state !== 'running') return stay(rollout);
  const halted = findHalt(rollout, tallies, now) ?? findWorse(rollout, observed, now);
  if (halted) return stay({ ...rollout, state: 'halted', halted, soakSince: null });

  const gated = passGate(rollout, tallies, now);
  if (gated.wave !== rollout.wave) {
    if (isKept(gated)) return { rollout: gated, actions: [{ type: 'hold_back', wave: gated.wave }] };
    return tick(gated, tallies, { type: 'tick', registryChanged }, now);
  }
  const waiting = sum(tallies.slice(0, gated.wave + 1), (t) => t.pending);
  const limit = Math.min(waiting, allowance(gated, now));
  const actions: RolloutAction[] = limit > 0 ? [{ type: 'dispatch', upToWave: gated.wave, limit }] : [];
  if (!joins || (!owed && !registryChanged && now - soughtAt(gated, now) < joinersEveryMs))
    return { rollout: gated, actions };
  return {
    rollout: { ...gated, joinersSoughtAt: now },
    // A control group that is kept takes nobody in.
    actions: [{ type: 'join', wave: gated.wave - (isKept(gated) ? 1 : 0) }, ...actions],
  };
}

/** The open wave is the control group, which never gets the image. */
function isKept({ gates, wave, policy: { health } }: Rollout): boolean {
  return gates![wave]?.control === true && health?.afterwards === 'keep';
}

/** The soak starts, goes on, or (when a success was taken back) starts again; after it the next wave opens. */
function passGate(rollout: Rollout, tallies: Tally[], now: number): Rollout {
  const { wave, gates } = rollout;
  if (wave >= gates!.length - 1) return rollout;
  const tally = tallies[wave] ?? nothing;
  const opened = { ...rollout, wave: wave + 1, soakSince: null, waveOpenedAt: now };
  if (counted(tally) === 0) return opened;
  const unreached = isGateOverdue(rollout, now) ? tally.unreached : 0;
  const holds =
    !isUnheard(rollout, wave, tally, unreached) && tally.succeeded >= needed(rollout, wave, tally, unreached);
  if (!holds) {
    return rollout.soakSince === null ? rollout : { ...rollout, soakSince: null };
  }
  const soaking = { ...rollout, soakSince: rollout.soakSince ?? now };
  return now >= soakEndsAt(soaking)! && isObserved(soaking) ? opened : soaking;
}

/** Every wave that was opened is watched: a late rollback in the first one counts as much. */
function findHalt(rollout: Rollout, tallies: Tally[], now: number): Halt | null {
  for (let wave = 0; wave <= rollout.wave; wave++) {
    const tally = tallies[wave] ?? nothing;
    const gate = rollout.gates![wave];
    if (!gate) continue;
    const halt = (reason: HaltReason, message: string, figures: HaltFigures): Halt => {
      return { reason, wave, message, at: now, figures };
    };
    const past = forgivenOf(rollout, wave, tally);
    const all = counted(tally) - past.failed - past.silent;
    const failed = tally.failed - past.failed;
    const silent = tally.silent - past.silent;
    const answered = tally.succeeded + failed + silent;
    const over = (n: number, percent: number) =>
      n * 100 > percent * all || (answered >= telling && n * 100 > percent * answered);
    if (over(failed, gate.failurePercent)) {
      const figures = { measure: 'failed', devices: failed, of: all, percent: gate.failurePercent } as const;
      return halt(
        'failures',
        `${failed} of ${all} devices failed (allowed: ${gate.failurePercent} %)`,
        figures,
      );
    }
    if (over(silent, gate.silencePercent)) {
      const figures = { measure: 'silent', devices: silent, of: all, percent: gate.silencePercent } as const;
      return halt(
        'silence',
        `${silent} of ${all} devices fell silent (allowed: ${gate.silencePercent} %)`,
        figures,
      );
    }
    const isGated = wave === rollout.wave && wave < rollout.gates!.length - 1;
    const { unreached, lost } = isGated && isGateOverdue(rollout, now) ? tally : nothing;
    if (isGated && isOpen(tally) === unreached + lost && counted(tally) > 0) {
      if (isUnheard(rollout, wave, tally, unreached)) {
        const figures = { measure: 'unreached', devices: unreached, of: unreached } as const;
        return halt('gate_missed', `none of its ${unreached} devices could be reached`, figures);
      }
      const wanted = needed(rollout, wave, tally, unreached);
      if (tally.succeeded < wanted) {
        const figures = { measure: 'succeeded', devices: tally.succeeded, of: wanted } as const;
        const message = `${tally.succeeded} devices succeeded, the next wave needs ${wanted}`;
        return halt('gate_missed', message, figures);
      }
    }
  }
  return null;
}

/** Of those that count, and were not given up by an operator, none could be reached: their silence is no success. */
function isUnheard(rollout: Rollout, wave: number, tally: Tally, unreached: number): boolean {
  return unreached > 0 && unreached === judged(rollout, wave, tally);
}

function needed(rollout: Rollout, wave: number, tally: Tally, unreached: number): number {
  const all = judged(rollout, wave, tally) - unreached;
  return Math.ceil((rollout.gates![wave]!.successPercent * all) / 100);
}

/** Those that count, without what an operator has given up. */
function judged(rollout: Rollout, wave: number, tally: Tally): number {
  const past = forgivenOf(rollout, wave, tally);
  return counted(tally) - past.failed - past.silent;
}

/** Of what was forgiven, what still is so: some may have been tried again or corrected. */
function forgivenOf(rollout: Rollout, wave: number, tally: Tally): { failed: number; silent: number } {
  const past = rollout.forgiven[wave];
  return {
    failed: Math.min(past?.failed ?? 0, tally.failed),
    silent: Math.min(past?.silent ?? 0, tally.silent),
  };
}

function forgive(rollout: Rollout, tallies: Tally[], now: number): Rollout {
  const forgiven = tallies.slice(0, rollout.wave + 1).map(({ failed, silent }) => ({ failed, silent }));
  const { health } = rollout;
  return observeFrom(
    {
      ...{ ...rollout, state: 'running', halted: null, forgiven, waveOpenedAt: now },
      health: health && { ...health, forgiven: [...health.forgiven, ...(rollout.halted?.signals ?? [])] },
    },
    now,
  );
}

function retryFailed(rollout: Rollout, tallies: Tally[]): RolloutStep {
  const { state } = rollout;
  const some = sum(tallies, (t) => t.failed + t.timedOut) > 0;
  if (state === 'cancelled' || state === 'scheduled' || !some) return stay(rollout);
  return {
    rollout: {
      ...rollout,
      state: state === 'paused' ? 'paused' : 'running',
      halted: null,
      soakSince: null,
      finishedAt: null,
    },
    actions: [{ type: 'retry_targets' }],
  };
}

/** An entry leaves the window when it is a whole minute old. */
function inLastMinute({ recent }: Rollout, now: number): Rollout['recent'] {
  return recent.filter((r) => r.at > now - minuteMs);
}

/** How many may start now. */
function allowance(rollout: Rollout, now: number): number {
  const { ratePerMinute } = rollout.policy;
  if (ratePerMinute === null) return Number.MAX_SAFE_INTEGER;
  return Math.max(0, ratePerMinute - sum(inLastMinute(rollout, now), (r) => r.count));
}

/** Starts within a second share an entry, dated by the last: never counted for too short. */
function count(rollout: Rollout, started: number, now: number): Rollout {
  if (started === 0 || rollout.policy.ratePerMinute === null) return rollout;
  const recent = inLastMinute(rollout, now);
  const last = recent.at(-1);
  if (last && Math.floor(last.at / 1000) === Math.floor(now / 1000)) {
    recent[recent.length - 1] = { at: Math.max(now, last.at), count: last.count + started };
  } else {
    recent.push({ at: now, count: started });
  }
  return { ...rollout, recent };
}

export const nothing: Tally = {
  pending: 0,
  active: 0,
  succeeded: 0,
  failed: 0,
  timedOut: 0,
  silent: 0,
  left: 0,
  unreached: 0,
  lost: 0,
};

function isOpen(tally: Tally): number {
  return tally.pending + tally.active;
}

/** Those that count for the thresholds. */
function counted(tally: Tally): number {
  return tally.pending + tally.active + tally.succeeded + tally.failed + tally.timedOut;
}

export function sum<T>(items: T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

function stay(rollout: Rollout): RolloutStep {
  return { rollout, actions: [] };
}
