/** Any policy that a schedule of some minutes has time for. */
import { deadlineActions } from '#emqx/protocol.ts';
import { Random } from '../primitives/random.ts';

export function anyPolicy(r: Random, { byPlace }: { byPlace: boolean }) {
  const waves = r.pick([
    [{ percent: 100 }],
    [{ count: 1 }, { percent: 100 }],
    [{ count: 1 }, { percent: 30 }, { percent: 100 }],
  ]);
  const policy = {
    waves,
    successPercent: r.pick([50, 80, 95]),
    failurePercent: r.pick([0, 20, 50, 100]),
    silencePercent: r.pick([20, 50, 100]),
    soakMs: r.pick([0, 0, 20_000]),
    maxAttempts: r.int(1, 4),
    ackTimeoutMs: 20_000,
    downloadTimeoutMs: 60_000,
    installTimeoutMs: 90_000,
    cancelTimeoutMs: 60_000,
    retryDelayMs: 3_000,
    deferralMs: r.pick([0, 60_000, 86_400_000]),
    atDeadline: r.pick(deadlineActions),
    ratePerMinute: r.pick([null, null, 10, 30]),
    gateTimeoutMs: r.pick([60_000, 120_000]),
    lateJoinersMs: byPlace ? r.pick([null, 240_000]) : null,
    // Noon here is three in the afternoon in the east: for some it closes before long, and does not open again.
    window: r.chance(0.1) ? { from: '11:00', to: '15:02' } : null,
  };
  // Chance of its own, so that other policies stay those of their seeds.
  return { ...policy, health: anyHealth(new Random(0, JSON.stringify(policy))) };
}

/** Windows of seconds, in which the hostile minutes restart and disconnect enough devices. */
function anyHealth(r: Random) {
  if (!r.chance(0.3)) return null;
  return {
    control: { count: 5 },
    afterwards: r.pick(['release', 'keep']),
    ...{ seed: 'simulated', minDevices: 5, windowMs: 10_000, minObservedMs: r.pick([0, 20_000, 40_000]) },
    signals: [{ kind: 'restarts' }, { kind: 'disconnects' }, { kind: 'offline' }],
  };
}
