import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Outcome, paced } from './paced.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

function count(pace: Parameters<typeof paced>[0]) {
  const runs = { n: 0, outcome: 'done' as Outcome | Error };
  const step = paced(pace, async function sweep() {
    runs.n++;
    if (runs.outcome instanceof Error) throw runs.outcome;
    return runs.outcome;
  });
  return { step, runs };
}

test('a step runs at once, then only when its time has come', async () => {
  const { step, runs } = count({ everyMs: 100 });
  expect(await step({})).toBe(false);
  vi.advanceTimersByTime(99);
  await step({});
  expect(runs.n).toBe(1);
  vi.advanceTimersByTime(1);
  await step({});
  expect(runs.n).toBe(2);
});

test('one that has more to do is due at once, and says so', async () => {
  const { step, runs } = count({ everyMs: 100 });
  runs.outcome = 'more';
  expect([await step({}), await step({})]).toEqual([true, true]);
  expect(runs.n).toBe(2);
});

test.each<[string, Outcome | Error]>([
  ['says that it has failed', 'failed'],
  ['throws', new Error('away')],
])('one that %s is tried again sooner', async (_, outcome) => {
  const { step, runs } = count({ everyMs: 100, retryMs: 10 });
  runs.outcome = outcome;
  const failure = outcome instanceof Error ? outcome : null;
  expect(await step({}).catch((error) => error)).toBe(failure ?? false);
  vi.advanceTimersByTime(9);
  await step({});
  expect(runs.n).toBe(1);
  vi.advanceTimersByTime(1);
  runs.outcome = 'done';
  await step({});
  vi.advanceTimersByTime(99);
  await step({});
  expect(runs.n).toBe(2);
});

test('the first run can be put off', async () => {
  const { step, runs } = count({ everyMs: 100, firstMs: 30 });
  await step({});
  expect(runs.n).toBe(0);
  vi.advanceTimersByTime(30);
  await step({});
  expect(runs.n).toBe(1);
});

test('it has the name of what it runs, which operators find in the log', () => {
  expect(count({ everyMs: 1 }).step.name).toBe('sweep');
});
