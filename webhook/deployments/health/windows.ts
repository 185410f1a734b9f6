/** What a rollout makes of its gate's windows: pure, as `rollout.ts`, of which it is a part. */
import type { Halt, Observed, Rollout } from '../rollout.ts';
import type { Judgement } from './verdict.ts';

/** What happened in a window may be told so much later, or a window later if they are shorter. */
const belatedMs = 10_000;
/** When the window that is to be compared next has ended, and what happened in it has been told; null: none is. */
export function windowDueAt({ policy, health, state, gates, wave }: Rollout): number | null {
  if (!policy.health || !health || state !== 'running' || !gates || gates[wave]?.control) return null;
  return health.until + policy.health.windowMs + Math.min(belatedMs, policy.health.windowMs);
}

/** When the successes of the open wave have stood, and been watched, for long enough. */
export function soakEndsAt({ policy, gates, wave, soakSince }: Omit<Rollout, 'state'>): number | null {
  const gate = gates?.[wave];
  if (soakSince === null || !gate) return null;
  return soakSince + Math.max(gate.soakMs, policy.health?.minObservedMs ?? 0);
}

export function isObserved({ policy, health, soakSince }: Rollout): boolean {
  return !policy.health || !health || health.until >= (soakSince ?? 0) + policy.health.minObservedMs;
}

/** From the next whole window on; what went by unobserved (paused, or the clock jumped) is left out. */
export function observeFrom(rollout: Rollout, now: number): Rollout {
  const { policy, health } = rollout;
  if (!policy.health || !rollout.gates) return rollout;
  const until = Math.ceil(now / policy.health.windowMs) * policy.health.windowMs;
  return { ...rollout, health: { mixtures: {}, forgiven: [], ...health, until } };
}

export function observe(rollout: Rollout, observed: Observed | undefined): Rollout {
  if (!observed || !rollout.health) return rollout;
  const mixtures = Object.fromEntries(observed.judgements.map((j) => [j.signal, j.mixture]));
  const health = {
    ...rollout.health,
    until: observed.until,
    mixtures: { ...rollout.health.mixtures, ...mixtures },
  };
  return { ...rollout, health };
}

/** What an operator has resumed in spite of stays forgiven: more of the same is no news. */
export function findWorse(rollout: Rollout, observed: Observed | undefined, now: number): Halt | null {
  const worse = (observed?.judgements ?? []).filter(
    (j) => j.verdict === 'worse' && !rollout.health?.forgiven.includes(j.signal),
  );
  if (worse.length === 0) return null;
  const { wave } = rollout;
  return {
    ...{ reason: 'health_worse', wave, at: now, signals: worse.map((j) => j.signal) },
    message: worse.map(describe).join('; '),
  };
}

function describe(j: Judgement): string {
  const [treated, control, low, high] = [j.treatedLevel, j.controlLevel, j.low, j.high].map((n) =>
    Number(n.toPrecision(4)),
  );
  return `${j.signal}: ${treated} on ${j.treatedDevices} devices with it, ${control} on ${j.controlDevices} without; the change differs by ${low} to ${high}`;
}
