/** How long events are gathered. Each group costs about fifteen statements, however few are in it. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Context } from '../context.ts';
import type { Input } from './classify.ts';
import { createIngest } from './ingest.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout'] }));
afterEach(() => void vi.useRealTimers());

/** An ingest whose groups are committed at once, with nothing in them. */
function start() {
  const groups: number[] = [];
  const outcome = { rejects: [], acks: new Map(), changedDeployments: [], changedDevices: [], kicks: [] };
  const context = {
    database: { ingest: { transaction: async () => outcome } },
    live: { changed() {} },
  } as unknown as Context;
  const ingest = createIngest(
    () => context,
    (events) => void groups.push(events),
  );
  const event = (i: number): Input => ({ kind: 'subscribed', deviceId: `dev-${i}`, certificateSerial: null });
  const submit = (count: number) => {
    for (let i = 0; i < count; i++) void ingest.submit(event(i), '');
  };
  return { groups, submit, pass: (ms: number) => vi.advanceTimersByTimeAsync(ms) };
}

test('one event waits for no company, time and again', async () => {
  const { groups, submit, pass } = start();
  for (let i = 1; i <= 3; i++) {
    submit(1);
    await pass(5);
    expect(groups).toEqual(Array(i).fill(1));
  }
});

test('where several come together the next are waited for a little longer', async () => {
  const { groups, submit, pass } = start();
  submit(4);
  await pass(5);
  expect(groups).toEqual([4]);
  for (let i = 0; i < 4; i++) {
    submit(1);
    await pass(5);
  }
  expect(groups).toEqual([4]);
  await pass(20);
  expect(groups).toEqual([4, 4]);
});

test('what is more than a group goes at once after it, and afterwards few are few again', async () => {
  const { groups, submit, pass } = start();
  submit(301);
  await pass(5);
  expect(groups).toEqual([300, 1]);
  await pass(30);
  submit(1);
  await pass(5);
  expect(groups).toEqual([300, 1, 1]);
});
