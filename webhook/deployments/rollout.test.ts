import { describe, expect, test } from 'vitest';
import { cutWaves, defaultRollout, type Gate, type HealthPolicy, type Wave } from './policy.ts';
import {
  createRollout,
  moveRollout,
  nothing,
  type Rollout,
  type RolloutAction,
  type RolloutEvent,
  type RolloutState,
  rolloutStates,
  stepRollout,
  type Tally,
  wakesAt,
} from './rollout.ts';

const gate: Gate = { successPercent: 90, failurePercent: 20, silencePercent: 20, soakMs: 0 };
const tally = (over: Partial<Tally>): Tally => ({ ...nothing, ...over });
function rollout(over: Partial<Rollout> = {}): Rollout {
  return { ...createRollout(defaultRollout, null), state: 'running', gates: [gate, gate], ...over };
}
const tick = (r: Rollout, tallies: Tally[], now = 0) => stepRollout(r, tallies, { type: 'tick' }, now);
const limitOf = (actions: RolloutAction[]) =>
  actions.reduce((sum, a) => sum + (a.type === 'dispatch' ? a.limit : 0), 0);
const waiting = tally({ pending: 10 });

describe('waves', () => {
  test('are cut where they end, the last takes all, empty ones are left out', () => {
    const waves = (...upTo: Wave['upTo'][]) => upTo.map((u) => ({ ...gate, upTo: u }));
    const plan = waves({ count: 1 }, { percent: 5 }, { percent: 25 }, { percent: 100 });
    const ends = (total: number) => cutWaves(plan, total).map((w) => w.end);
    expect(ends(1000)).toEqual([1, 50, 250, 1000]);
    expect(ends(10)).toEqual([1, 3, 10]);
    expect(ends(1)).toEqual([1]);
    expect(ends(0)).toEqual([]);
    expect(cutWaves(waves({ percent: 7 }, { percent: 100 }), 100)[0]!.end).toBe(7);
  });

  test('only the open one is started, and the next when enough have succeeded', () => {
    expect(tick(rollout(), [tally({ pending: 10 }), waiting]).actions).toEqual([
      { type: 'dispatch', upToWave: 0, limit: 10 },
    ]);
    expect(tick(rollout(), [tally({ succeeded: 8, active: 2 }), waiting])).toMatchObject({
      rollout: { wave: 0 },
      actions: [],
    });
    expect(tick(rollout(), [tally({ succeeded: 9, active: 1 }), waiting])).toMatchObject({
      rollout: { wave: 1 },
      actions: [{ type: 'dispatch', upToWave: 1, limit: 10 }],
    });
  });

  test('the soak must be whole, and starts again when a success is taken back', () => {
    const r = rollout({ gates: [{ ...gate, soakMs: 100 }, gate] });
    const good = [tally({ succeeded: 9, active: 1 }), waiting];
    const soaking = tick(r, good, 1_000).rollout;
    expect(soaking).toMatchObject({ wave: 0, soakSince: 1_000 });
    expect(wakesAt(soaking, good, 1_000)).toBe(1_100);
    expect(tick(soaking, good, 1_099).rollout.wave).toBe(0);
    expect(tick(soaking, good, 1_100).rollout.wave).toBe(1);
    const back = tick(soaking, [tally({ succeeded: 8, active: 2 }), waiting], 1_100).rollout;
    expect(back).toMatchObject({ wave: 0, soakSince: null });
    expect(tick(back, good, 1_150).rollout.soakSince).toBe(1_150);
  });

  test('one whose devices have all been skipped proves nothing and holds nothing up', () => {
    expect(tick(rollout(), [tally({ left: 3 }), waiting]).rollout.wave).toBe(1);
  });
});

describe('a clock that jumps', () => {
  const soaking = rollout({ soakSince: 900, waveOpenedAt: 500, recent: [{ at: 990, count: 3 }] });

  test('makes no soak shorter or longer, and leaves the rate as it was', () => {
    expect(moveRollout(soaking, 86_400, 1_000 + 86_400)).toMatchObject({
      soakSince: 900 + 86_400,
      waveOpenedAt: 500 + 86_400,
      recent: [{ at: 990 + 86_400, count: 3 }],
    });
    expect(moveRollout(soaking, -950, 50)).toMatchObject({ soakSince: -50, recent: [{ at: 40, count: 3 }] });
  });

  test('moves it once, whichever copy is second', () => {
    const ahead = moveRollout(soaking, 86_400, 1_000 + 86_400);
    expect(moveRollout(ahead, 86_400, 1_000 + 86_400).soakSince).toBe(1_000 + 86_400);
    const back = moveRollout(soaking, -950, 50);
    expect(moveRollout(back, -950, 50)).toEqual(back);
  });
});

describe('a gate that is overdue', () => {
  const hour = 3_600_000;
  const policy = { ...defaultRollout, gateTimeoutMs: hour };
  const open = rollout({ policy, waveOpenedAt: 0 });

  test('is judged on the devices that were reached, and not before its time', () => {
    const some = [tally({ succeeded: 9, pending: 91, unreached: 91 }), waiting];
    expect(tick(open, some, hour - 1).rollout.wave).toBe(0);
    expect(wakesAt(open, some, 0)).toBe(hour);
    expect(tick(open, some, hour).rollout).toMatchObject({ wave: 1, waveOpenedAt: hour });
    // Those that can be reached and only wait for the rate or the maintenance window are still waited for.
    expect(
      tick(open, [tally({ succeeded: 9, pending: 91, unreached: 80 }), waiting], hour).rollout.wave,
    ).toBe(0);
    const without = rollout({ policy: { ...policy, gateTimeoutMs: null }, waveOpenedAt: 0 });
    expect(tick(without, some, 99 * hour).rollout.wave).toBe(0);
  });

  test('halts when what it lacks was reached, tried, and has gone since: nothing of it would ever come', () => {
    const gone = [tally({ succeeded: 8, silent: 2, pending: 2, lost: 2 }), waiting];
    expect(tick(open, gone, hour - 1).rollout).toMatchObject({ state: 'running', wave: 0 });
    const halted = tick(open, gone, hour).rollout;
    expect(halted).toMatchObject({
      state: 'halted',
      halted: { reason: 'gate_missed', figures: { measure: 'succeeded', devices: 8, of: 9 } },
    });
    // They are no devices that were not reached: what they were sent may be why they are gone.
    const others = [tally({ succeeded: 9, silent: 1, pending: 91, unreached: 90, lost: 1 }), waiting];
    expect(tick(open, others, hour).rollout).toMatchObject({ state: 'running', wave: 1 });
    expect(tick(open, [tally({ succeeded: 8, pending: 2, lost: 1 }), waiting], hour).rollout.state).toBe(
      'running',
    );
    const resumed = stepRollout(halted, gone, { type: 'resume' }, hour).rollout;
    expect(tick(resumed, gone, hour).rollout.wave).toBe(1);
  });

  test('halts when nobody was reached beside those that an operator has given up', () => {
    const half = [tally({ timedOut: 1, silent: 1, pending: 1, unreached: 1 }), waiting];
    const resumed = { ...open, forgiven: [{ failed: 0, silent: 1 }] };
    expect(tick(resumed, half, hour).rollout).toMatchObject({
      state: 'halted',
      halted: { reason: 'gate_missed' },
    });
  });

  test('halts when nobody was reached, or too few of them succeeded; a resume gives it its time again', () => {
    const nobody = [tally({ pending: 3, unreached: 3 }), waiting];
    const halted = tick(open, nobody, hour).rollout;
    expect(halted).toMatchObject({ state: 'halted', halted: { reason: 'gate_missed' } });
    const resumed = stepRollout(halted, nobody, { type: 'resume' }, 2 * hour).rollout;
    expect(tick(resumed, nobody, 3 * hour - 1).rollout).toMatchObject({ state: 'running', wave: 0 });
    const few = [tally({ succeeded: 8, failed: 2, pending: 90, unreached: 90 }), waiting];
    const judged = tick(rollout({ ...open, gates: [{ ...gate, failurePercent: 100 }, gate] }), few, hour);
    expect(judged.rollout.halted?.reason).toBe('gate_missed');
  });
});

describe('late joiners', () => {
  const policy = { ...defaultRollout, lateJoinersMs: 600_000 };
  const open = rollout({ policy, resolvedAt: 0, wave: 1 });
  const done = [tally({ succeeded: 1 }), tally({ succeeded: 1 })];
  const look = (r: Rollout, registryChanged: boolean, now: number) =>
    stepRollout(r, done, { type: 'tick', registryChanged }, now);

  test('are looked for when the registry changes, or else every minute, and join the open wave', () => {
    expect(look(open, true, 1).actions).toEqual([{ type: 'join', wave: 1 }]);
    expect(look(open, false, 59_999).actions).toEqual([]);
    const sought = look(open, false, 60_000);
    expect(sought.actions).toEqual([{ type: 'join', wave: 1 }]);
    expect(wakesAt(sought.rollout, done, 60_000)).toBe(120_000);
    expect(look(rollout({ resolvedAt: 0, wave: 1 }), true, 1).actions).toEqual([]);
  });

  test('are no part of a control group that is kept: they join the wave before it', () => {
    const health = { afterwards: 'keep' } as HealthPolicy;
    const gates = [gate, { ...gate, control: true as const }];
    const looks = (afterwards: HealthPolicy['afterwards']) =>
      look({ ...open, gates, policy: { ...policy, health: { ...health, afterwards } } }, true, 1).actions;
    expect(looks('keep')).toEqual([{ type: 'join', wave: 0 }]);
    expect(looks('release')).toEqual([{ type: 'join', wave: 1 }]);
  });

  test('keep it open until their time is over, also while it is paused or halted', () => {
    expect(look(open, false, 599_999).rollout.state).toBe('running');
    // One last look: for a device that came a moment before.
    const last = look(open, false, 600_000);
    expect(last).toMatchObject({ rollout: { state: 'running' }, actions: [{ type: 'join', wave: 1 }] });
    expect(wakesAt(last.rollout, done, 600_000)).toBe(600_000);
    expect(look(last.rollout, true, 600_001)).toMatchObject({ rollout: { state: 'completed' }, actions: [] });
    for (const state of ['paused', 'halted'] as const) {
      const stopped = { ...open, state };
      expect(look(stopped, true, 1)).toMatchObject({ rollout: { state }, actions: [] });
      expect(wakesAt(stopped, done, 1)).toBe(600_000);
      expect(look(stopped, false, 600_000).rollout.state).toBe('completed');
    }
  });
});

describe('halts', () => {
  const answers = tally({ succeeded: 15, failed: 6, pending: 999 });
  test.each<[string, Tally[], Partial<Rollout>, string]>([
    ['too many failures', [tally({ failed: 3, active: 7 }), waiting], {}, 'failures'],
    ['as many as allowed', [tally({ failed: 2, active: 8 }), waiting], {}, 'none'],
    ['silence', [tally({ silent: 3, pending: 3, active: 7 }), waiting], {}, 'silence'],
    [
      'a gate that nobody can pass any more',
      [tally({ succeeded: 8, failed: 2 }), waiting],
      {},
      'gate_missed',
    ],
    ['a late failure in an earlier wave', [tally({ failed: 1 }), waiting], { wave: 1 }, 'failures'],
    ['too large a share of the answers in a huge wave', [answers, waiting], {}, 'failures'],
  ])('%s', (_, tallies, over, reason) => {
    const { rollout: after, actions } = tick(rollout(over), tallies);
    expect(after.halted?.reason ?? 'none').toBe(reason);
    expect(after.state).toBe(reason === 'none' ? 'running' : 'halted');
    if (after.halted) expect(actions).toEqual([]);
  });

  test('are forgiven by a resume, and what fails after it counts anew', () => {
    const tallies = [tally({ failed: 3, succeeded: 2, active: 5 }), waiting];
    const halted = tick(rollout(), tallies).rollout;
    const resumed = stepRollout(halted, tallies, { type: 'resume' }, 0).rollout;
    expect(tick(resumed, tallies).rollout.state).toBe('running');
    expect(tick(resumed, [tally({ failed: 4, active: 6 }), waiting]).rollout.state).toBe('running');
    expect(tick(resumed, [tally({ failed: 5, active: 5 }), waiting]).rollout.halted?.reason).toBe('failures');
    expect(tick(resumed, [tally({ failed: 3, succeeded: 7 }), waiting]).rollout.wave).toBe(1);
  });

  test('end when nothing is left to decide, with their reason', () => {
    const halted = tick(rollout(), [tally({ failed: 3, active: 7 })]).rollout;
    expect(tick(halted, [tally({ failed: 3, succeeded: 7 })], 5).rollout).toMatchObject({
      state: 'completed',
      finishedAt: 5,
      halted: { reason: 'failures' },
    });
  });
});

test('no minute holds more starts than the rate, whenever they are', () => {
  const policy = { ...defaultRollout, ratePerMinute: 10 };
  let r = rollout({ policy, gates: [gate] });
  const starts: { at: number; count: number }[] = [];
  for (let now = 0; now < 200_000; now += 331) {
    const limit = limitOf(tick(r, [tally({ pending: 500 })], now).actions);
    const count = Math.min(limit, 1 + (now % 4));
    r = stepRollout(r, [], { type: 'dispatched', count }, now).rollout;
    starts.push({ at: now, count });
  }
  for (const { at } of starts) {
    const inMinute = starts.filter((s) => s.at >= at && s.at < at + 60_000);
    expect(inMinute.reduce((sum, s) => sum + s.count, 0)).toBeLessThanOrEqual(10);
  }
  expect(starts.reduce((sum, s) => sum + s.count, 0)).toBeGreaterThanOrEqual(30);
  expect(wakesAt({ ...r, recent: [{ at: 5, count: 10 }] }, [waiting], 10)).toBe(60_005);
});

test('starts that are a minute old ask for no look: who still waits cannot be reached', () => {
  const r = rollout({
    policy: { ...defaultRollout, ratePerMinute: 10 },
    gates: [gate],
    recent: [{ at: 5, count: 10 }],
  });
  expect(wakesAt(r, [waiting], 60_004)).toBe(60_005);
  expect(wakesAt(r, [waiting], 60_005)).toBeNull();
});

describe('operators', () => {
  type Row = [RolloutState, RolloutEvent['type'], RolloutState, RolloutAction['type'][]?];
  const mixed = [tally({ pending: 2, succeeded: 17, timedOut: 1 })];
  test.each<Row>([
    ['scheduled', 'pause', 'paused'],
    ['running', 'pause', 'paused'],
    ['halted', 'pause', 'halted'],
    ['paused', 'resume', 'running'],
    ['halted', 'resume', 'running'],
    ['running', 'resume', 'running'],
    ['completed', 'resume', 'completed'],
    ['scheduled', 'cancel', 'cancelled', ['cancel_targets']],
    ['paused', 'cancel', 'cancelled', ['cancel_targets']],
    ['halted', 'cancel', 'cancelled', ['cancel_targets']],
    ['completed', 'cancel', 'completed'],
    ['cancelled', 'retry_failed', 'cancelled'],
    ['scheduled', 'retry_failed', 'scheduled'],
    ['paused', 'retry_failed', 'paused', ['retry_targets']],
    ['halted', 'retry_failed', 'running', ['retry_targets']],
    ['completed', 'retry_failed', 'running', ['retry_targets']],
  ])('%s + %s → %s', (from, type, to, actions = []) => {
    const before = rollout({ state: from, finishedAt: from === 'completed' ? 1 : null });
    const after = stepRollout(before, mixed, { type } as RolloutEvent, 9);
    expect(after.rollout.state).toBe(to);
    expect(after.actions.map((a) => a.type)).toEqual(actions);
    expect(after.rollout.finishedAt === null).toBe(to !== 'completed' && (to !== 'cancelled' || from === to));
  });

  test('a deployment paused before its start time goes on waiting for it', () => {
    const paused = stepRollout(createRollout(defaultRollout, 500), [], { type: 'pause' }, 0).rollout;
    expect(tick(paused, [], 900).rollout.state).toBe('paused');
    const resumed = stepRollout(paused, [], { type: 'resume' }, 0).rollout;
    expect(tick(resumed, [], 499)).toMatchObject({ rollout: { state: 'scheduled' }, actions: [] });
    expect(tick(resumed, [], 500)).toMatchObject({
      rollout: { state: 'running' },
      actions: [{ type: 'resolve' }],
    });
  });

  test.each(rolloutStates.filter((s) => s !== 'running'))('%s starts nothing', (state) => {
    const r = rollout({ state, startAt: 1_000 });
    expect(limitOf(tick(r, [waiting, waiting], 0).actions)).toBe(0);
  });
});
