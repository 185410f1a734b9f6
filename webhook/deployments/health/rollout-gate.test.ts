import { describe, expect, test } from 'vitest';
import { controlSize, cutWaves, defaultRollout, type Gate, type HealthPolicy } from '../policy.ts';
import {
  createRollout,
  moveRollout,
  nothing,
  type Observed,
  type Rollout,
  stepRollout,
  type Tally,
  wakesAt,
} from '../rollout.ts';
import type { Judgement } from './verdict.ts';
import { windowDueAt } from './windows.ts';

const windowMs = 60_000;
const health: HealthPolicy = {
  ...{ control: { count: 5 }, afterwards: 'release', seed: 's', minDevices: 5 },
  ...{ minObservedMs: 3 * windowMs, windowMs, signals: [{ kind: 'restarts', marginPercent: 10 }] },
};
const gate: Gate = { successPercent: 90, failurePercent: 20, silencePercent: 20, soakMs: 0 };
const t0 = 1_000_000 * windowMs;

/** One wave of ten, all updated, and five of the control group. */
function soaking(policy: Partial<HealthPolicy> = {}): Rollout {
  const fresh = createRollout({ ...defaultRollout, health: { ...health, ...policy } }, null);
  const gates = [gate, { ...gate, control: true as const }];
  const resolved = stepRollout({ ...fresh, state: 'running' }, [], { type: 'resolved', gates }, t0);
  return stepRollout(resolved.rollout, tallies, { type: 'tick' }, t0).rollout;
}
const tallies: Tally[] = [
  { ...nothing, succeeded: 10 },
  { ...nothing, pending: 5 },
];
const judgement = (verdict: Judgement['verdict'], signal = 'restarts'): Judgement => ({
  ...{ signal, verdict, better: 'low', treatedDevices: 10, controlDevices: 5 },
  ...{ treatedLevel: 0.3, controlLevel: 0.1, difference: 0.2, low: 0.1, high: 0.3, margin: 0.01, mixture: 7 },
});
const window = (r: Rollout, verdict: Judgement['verdict'] = 'undecided'): Observed => ({
  until: r.health!.until + windowMs,
  judgements: [judgement(verdict)],
});
/** As time passes: each window when it is due. */
const observe = (r: Rollout, verdict?: Judgement['verdict']) =>
  stepRollout(r, tallies, { type: 'tick', observed: window(r, verdict) }, windowDueAt(r)!);

test('the control group is what is left, and comes after all waves', () => {
  const waves = [10, 100].map((percent) => ({ ...gate, upTo: { percent } }));
  expect(cutWaves(waves, 100, 20).map(({ end, gate: { control } }) => [end, control])).toEqual([
    [10, undefined],
    [80, undefined],
    [100, true],
  ]);
  expect(cutWaves(waves, 5, 4).map(({ end }) => end)).toEqual([1, 5]);
  expect([controlSize(health, 100), controlSize(health, 3), controlSize(health, 0)]).toEqual([5, 2, 0]);
  expect(controlSize({ ...health, control: { percent: 5 } }, 50)).toBe(3);
  expect(controlSize(null, 50)).toBe(0);
});

test('a wave passes when its devices have been watched for long enough, and not before the windows are in', () => {
  let r = soaking();
  expect(r).toMatchObject({ wave: 0, soakSince: t0, health: { until: t0 } });
  expect(stepRollout(r, tallies, { type: 'tick' }, t0 + 10 * windowMs).rollout.wave).toBe(0);
  for (let n = 0; n < 2; n++) r = observe(r).rollout;
  expect(r.wave).toBe(0);
  const { rollout, actions } = observe(r);
  expect(rollout).toMatchObject({ wave: 1, health: { until: t0 + 3 * windowMs, mixtures: { restarts: 7 } } });
  expect(actions).toEqual([{ type: 'dispatch', upToWave: 1, limit: 5 }]);
  expect(windowDueAt(rollout)).toBeNull();
});

test('a control group that is kept never gets it', () => {
  let r = soaking({ afterwards: 'keep' });
  for (let n = 0; n < 2; n++) r = observe(r).rollout;
  const { rollout, actions } = observe(r);
  expect(actions).toEqual([{ type: 'hold_back', wave: 1 }]);
  const left = [tallies[0]!, { ...nothing, left: 5 }];
  expect(stepRollout(rollout, left, { type: 'tick' }, t0 + 10 * windowMs)).toMatchObject({
    rollout: { state: 'completed' },
    actions: [],
  });
});

describe('a signal that is worse', () => {
  const halted = observe(soaking(), 'worse').rollout;

  test('halts with the numbers, and starts nobody', () => {
    expect(halted).toMatchObject({
      state: 'halted',
      halted: { reason: 'health_worse', wave: 0, signals: ['restarts'] },
    });
    expect(halted.halted!.message).toBe(
      'restarts: 0.3 on 10 devices with it, 0.1 on 5 without; the change differs by 0.1 to 0.3',
    );
    expect(stepRollout(halted, tallies, { type: 'tick' }, t0 + 99 * windowMs).actions).toEqual([]);
    expect(windowDueAt(halted)).toBeNull();
  });

  test('is forgiven by a resume, and only that; what went by meanwhile is left out', () => {
    const at = t0 + 9.5 * windowMs;
    const resumed = stepRollout(halted, tallies, { type: 'resume' }, at).rollout;
    expect(resumed).toMatchObject({
      state: 'running',
      health: { forgiven: ['restarts'], until: t0 + 10 * windowMs },
    });
    expect(observe(resumed, 'worse').rollout.state).toBe('running');
    const other = { ...window(resumed), judgements: [judgement('worse', 'heap')] };
    const again = stepRollout(resumed, tallies, { type: 'tick', observed: other }, windowDueAt(resumed)!);
    expect(again.rollout).toMatchObject({ state: 'halted', halted: { signals: ['heap'] } });
  });

  test.each(['undecided', 'better', 'no_worse'] as const)('%s does not halt', (verdict) => {
    expect(observe(soaking(), verdict).rollout.state).toBe('running');
  });
});

test('it is looked at when a window is over and told of, also when the soak is over before', () => {
  const r = soaking();
  expect(wakesAt(r, tallies, t0)).toBe(t0 + windowMs + 10_000);
  const behind = { ...r, health: { ...r.health!, until: t0 + 2 * windowMs } };
  expect(wakesAt(behind, tallies, t0 + 3 * windowMs)).toBe(t0 + 3 * windowMs + 10_000);
});

test('a clock that jumps leaves no window half behind', () => {
  const moved = moveRollout(soaking(), 86_400_000, t0 + 86_400_000 + 1);
  expect(moved.health!.until).toBe(t0 + 86_400_000 + windowMs);
});
