/** What the machines are fuzzed with: a target as it is new, and any policy. */
import { mainComponent } from '#emqx/protocol.ts';
import { signalKey } from '#webhook/deployments/health/signals.ts';
import { type Judgement, verdicts } from '#webhook/deployments/health/verdict.ts';
import type { Target } from '#webhook/deployments/machine.ts';
import { defaultRollout, type HealthPolicy, type RolloutPolicy } from '#webhook/deployments/policy.ts';
import { newTarget } from '#webhook/deployments/testing-target.ts';
import type { Random } from '../primitives/random.ts';

export const image = { sha256: 'new', component: mainComponent, securityVersion: 0 };

export const targetOf = (deviceId: string, policy: RolloutPolicy): Target =>
  newTarget({ sha256: image.sha256, deviceId, policy, version: '2', totalBytes: 200 });

export function policyOf(r: Random): RolloutPolicy {
  const gate = () => ({
    successPercent: r.pick([50, 90, 100]),
    failurePercent: r.pick([0, 20, 50, 100]),
    silencePercent: r.pick([20, 50, 100]),
    soakMs: r.pick([0, 0, 20_000]),
  });
  const waves = r.pick([
    [{ percent: 100 }],
    [{ count: 1 }, { percent: 100 }],
    [{ count: 1 }, { percent: 50 }, { percent: 100 }],
  ]);
  return {
    ...defaultRollout,
    maxAttempts: r.int(1, 3),
    ackTimeoutMs: 20_000,
    downloadTimeoutMs: 60_000,
    installTimeoutMs: 60_000,
    cancelTimeoutMs: 60_000,
    retryDelayMs: 3_000,
    deferralMs: r.pick([0, 60_000, 300_000]),
    ratePerMinute: r.pick([null, null, 1, 3]),
    gateTimeoutMs: r.pick([null, 60_000, 86_400_000]),
    waves: waves.map((upTo) => ({ ...gate(), upTo })) as RolloutPolicy['waves'],
    health: r.chance(0.3) ? healthOf(r) : null,
  };
}

const healthOf = (r: Random): HealthPolicy => ({
  ...{ control: { count: r.int(1, 3) }, afterwards: r.pick(['release', 'keep']), seed: '' },
  ...{ minDevices: 1, minObservedMs: r.pick([0, 20_000, 60_000]), windowMs: 10_000 },
  signals: [signal],
});

const signal = { kind: 'restarts', marginPercent: 10 } as const;

/** Whatever a window may show. */
export function judgementOf(r: Random): Judgement {
  return {
    ...{ signal: signalKey(signal), verdict: r.chance(0.1) ? 'worse' : r.pick(verdicts), better: 'low' },
    ...{ treatedDevices: 1, controlDevices: 1, treatedLevel: 0, controlLevel: 0 },
    ...{ difference: 0, low: 0, high: 0, margin: 0, mixture: 1 },
  };
}
