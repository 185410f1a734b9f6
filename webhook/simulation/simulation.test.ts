import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { step } from '../deployments/machine.ts';
import { stepRollout } from '../deployments/rollout.ts';
import { play, realMachines, type Seen } from './schedule.ts';

const run = (...args: string[]) =>
  spawnSync(process.execPath, ['--import', 'tsx', new URL('./main.ts', import.meta.url).pathname, ...args], {
    encoding: 'utf8',
  });

test('three hundred schedules hold every promise, and much goes wrong in them', () => {
  const sum: Partial<Seen> = {};
  for (let seed = 1; seed <= 300; seed++) {
    const { violation, seen } = play(seed);
    if (violation) expect.fail(`seed ${seed}: ${violation}`);
    for (const [k, n] of Object.entries(seen)) sum[k as keyof Seen] = (sum[k as keyof Seen] ?? 0) + n;
  }
  for (const [what, n] of Object.entries(sum)) expect(n, what).toBeGreaterThan(20);
});

test('a seed replays exactly', () => {
  const trace = (seed: number) => {
    const lines: string[] = [];
    play(seed, realMachines, (line) => lines.push(line));
    return lines;
  };
  expect(trace(7)).toEqual(trace(7));
  expect(trace(7)).not.toEqual(trace(8));
});

describe('a broken part is found out:', () => {
  const mutants: [name: string, parts: Partial<typeof realMachines>, says: RegExp][] = [
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
      /stuck|closed/,
    ],
    [
      'a target machine that tries for ever',
      {
        step: (target, event, now) => {
          const policy = { ...target.policy, maxAttempts: 99 };
          const { target: after, commands } = step({ ...target, policy }, event, now);
          return { target: { ...after, policy: target.policy }, commands };
        },
      },
      /more attempts than allowed/,
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
      'dispatchers that do not lock the rollout',
      { locksRollouts: false },
      /was started|starts in a minute|started although|gate|stuck/,
    ],
    [
      'a dispatcher that knows no maintenance window',
      { keepsWindows: false },
      /outside of its maintenance window/,
    ],
    ['a dispatcher that sends what is overtaken', { leavesOvertaken: false }, /has updated it since/],
    [
      'a rollout that lets late joiners in when it is halted',
      {
        stepRollout: (rollout, tallies, event, now) => {
          const after = stepRollout(rollout, tallies, event, now);
          const joins = event.type === 'tick' && event.registryChanged && after.rollout.state === 'halted';
          return joins ? { ...after, actions: [{ type: 'join', wave: 0 }] } : after;
        },
      },
      /took a late joiner/,
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
      'a rollout that looks for nobody who comes later',
      {
        stepRollout: (rollout, tallies, event, now) => {
          const after = stepRollout(rollout, tallies, event, now);
          return { ...after, actions: after.actions.filter((action) => action.type !== 'join') };
        },
      },
      /was missed/,
    ],
    [
      'a rollout that looks no more for joiners when their time is just over',
      {
        stepRollout: (rollout, tallies, event, now) => {
          const { resolvedAt, policy } = rollout;
          const isOver = resolvedAt !== null && now >= resolvedAt + (policy.lateJoinersMs ?? 0);
          return stepRollout(isOver ? { ...rollout, joinersSoughtAt: now } : rollout, tallies, event, now);
        },
      },
      /was missed/,
    ],
    [
      'a dispatcher that takes an update of one component for one of another',
      { keepsComponentsApart: false },
      /nothing newer is for its/,
    ],
    ['a webhook that forgets what it has received', { remembers: false }, /handled 2 times/],
    ['a device that takes any securityVersion', { acceptsDowngrades: true }, /installed securityVersion/],
  ];
  test.each(mutants)('%s', (_, parts, says) => {
    for (let seed = 1; seed <= 600; seed++) {
      const { violation } = play(seed, { ...realMachines, ...parts });
      if (violation) return expect(violation).toMatch(says);
    }
    expect.fail('it went unnoticed');
  });
});

describe('the command', () => {
  test('says what it did, what it cannot do, and how it is used', () => {
    const done = run('--schedules', '3', '--seed', '5');
    expect([done.status, done.stdout]).toEqual([0, expect.stringContaining('3 schedules from seed 5')]);
    expect(run('--replay', '5').stdout).toMatch(/seed 5: every promise held\n$/);
    expect(run('--help').stdout).toContain('--replay SEED');
    const wrong = run('--schedules', 'many');
    expect([wrong.status, wrong.stderr]).toEqual([
      2,
      'simulate: --schedules must be a whole number from 1, not "many"\n',
    ]);
  });
});
