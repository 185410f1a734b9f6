import { describe, expect, test } from 'vitest';
import { fuzzMachines, type Machines, realMachines } from './machines.ts';

const { step, stepRollout, wakesAt } = realMachines;

test('two thousand schedules of the machines hold every promise', () => {
  for (let seed = 1; seed <= 2_000; seed++) {
    const violation = fuzzMachines(seed);
    if (violation) expect.fail(`seed ${seed}: ${violation}`);
  }
});

describe('a broken machine is found out:', () => {
  const mutants: [name: string, parts: Partial<Machines>, says: RegExp][] = [
    [
      'a target machine that believes a success without its digest',
      {
        step: (target, event, now) =>
          event.type === 'result' && event.outcome === 'succeeded'
            ? step(target, { ...event, runningSha256: target.sha256 }, now)
            : step(target, event, now),
      },
      /never ran the image/,
    ],
    [
      'a target machine without timeouts',
      {
        step: (target, event, now) =>
          step(target, event.type === 'tick' ? { type: 'supersede' } : event, now),
      },
      /stuck|closed|nothing newer/,
    ],
    [
      'a target machine that tries for ever',
      {
        step: (target, event, now) => {
          const policy = { ...target.policy, maxAttempts: 99 };
          const { target: after, commands } = step({ ...target, policy }, event, now);
          return { target: after === target ? target : { ...after, policy: target.policy }, commands };
        },
      },
      /more attempts than allowed/,
    ],
    [
      'a target machine that forgets its deadline',
      {
        step: (target, event, now) => {
          const { target: after, commands } = step(target, event, now);
          return { target: event.type === 'ack' ? { ...after, deadlineAt: null } : after, commands };
        },
      },
      /without a deadline/,
    ],
    [
      'a target machine that has no patience with an application',
      {
        step: (target, event, now) => {
          const { target: after, commands } = step(target, event, now);
          const impatient = after.deferred && { ...after, deadlineAt: now + after.policy.installTimeoutMs };
          return { target: impatient ?? after, commands };
        },
      },
      /taken for silent/,
    ],
    [
      'a rollout that never halts',
      {
        stepRollout: (rollout, tallies, event, now) =>
          stepRollout(
            rollout,
            tallies.map((t) => ({ ...t, failed: 0, silent: 0 })),
            event,
            now,
          ),
      },
      /started although/,
    ],
    [
      'a rollout that gives the image to a control group that is kept without it',
      {
        stepRollout: (...given) => {
          const { rollout, actions } = stepRollout(...given);
          return { rollout, actions: actions.filter((a) => a.type !== 'hold_back') };
        },
      },
      /is of the control group/,
    ],
    [
      'a rollout that opens the control group with the wave before it',
      {
        stepRollout: (...given) => {
          const { rollout, actions } = stepRollout(...given);
          const isNext = rollout.gates?.[rollout.wave + 1]?.control === true;
          return { rollout: isNext ? { ...rollout, wave: rollout.wave + 1 } : rollout, actions };
        },
      },
      /had passed its gate|is of the control group/,
    ],
    [
      'a rollout that does not wait until a wave has been watched',
      {
        stepRollout: (rollout, tallies, event, now) => {
          const { policy } = rollout;
          const health = policy.health && { ...policy.health, minObservedMs: 0 };
          const done = stepRollout({ ...rollout, policy: { ...policy, health } }, tallies, event, now);
          return { ...done, rollout: { ...done.rollout, policy } };
        },
      },
      /had passed its gate/,
    ],
    [
      'a rollout that does not wait for the soak',
      {
        stepRollout: (rollout, tallies, event, now) => {
          const gates = rollout.gates?.map((g) => ({ ...g, soakMs: 0 })) ?? null;
          const after = stepRollout({ ...rollout, gates }, tallies, event, now);
          if (event.type === 'resolved') return after;
          return { ...after, rollout: { ...after.rollout, gates: rollout.gates } };
        },
      },
      /had passed its gate/,
    ],
    [
      'a rollout without a rate',
      {
        stepRollout: (rollout, tallies, event, now) =>
          stepRollout({ ...rollout, recent: [] }, tallies, event, now),
      },
      /starts in a minute/,
    ],
    [
      'a gate that takes nobody reached for a success',
      {
        stepRollout: (rollout, tallies, event, now) => {
          const none = tallies.map((t) => ({ ...t, unreached: 0, pending: t.pending - t.unreached }));
          return stepRollout(rollout, none, event, now);
        },
      },
      /had passed its gate|stuck/,
    ],
    [
      'a rollout that waits for a minute that is over',
      {
        wakesAt: (rollout, tallies, now) => {
          const at = wakesAt(rollout, tallies, now);
          const first = rollout.recent[0];
          return first && tallies.some((t) => t.pending > 0) ? Math.min(at ?? now, first.at + 60_000) : at;
        },
      },
      /does not rest/,
    ],
  ];
  test.each(mutants)('%s', (_, parts, says) => {
    for (let seed = 1; seed <= 2_000; seed++) {
      const violation = fuzzMachines(seed, { ...realMachines, ...parts });
      if (violation) return expect(violation).toMatch(says);
    }
    expect.fail('it went unnoticed');
  });
});
