import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Database } from '../db/connect.ts';
import { type Change, openLive } from './live.ts';

let tell: (kind: string, ...ids: string[]) => void;
const database = {
  listen: async (_: string, heard: (payload: string) => void) => {
    tell = (kind, ...ids) => heard(JSON.stringify({ kind, ids }));
  },
} as unknown as Database;

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

test('who begins to listen is told once of what changed in the last seconds, and not of logs', async () => {
  const live = await openLive(database, () => {});
  const hear = () => {
    const heard: Change[] = [];
    live.subscribe((change) => heard.push(change));
    return heard;
  };
  tell('device', 'a', 'b');
  tell('log', 'a');
  vi.advanceTimersByTime(6_000);
  tell('device', 'a');
  const soon = hear();
  expect(soon).toEqual([
    { kind: 'device', id: 'b' },
    { kind: 'device', id: 'a' },
  ]);
  vi.advanceTimersByTime(6_000);
  expect(hear()).toEqual([{ kind: 'device', id: 'a' }]);
  vi.advanceTimersByTime(6_000);
  expect(hear()).toEqual([]);
  for (let n = 0; n < 3_000; n += 1) tell('device', `d${n}`);
  const last = hear();
  expect([last.length, last.at(-1)]).toEqual([1_000, { kind: 'device', id: 'd2999' }]);
  // Whoever listened already has heard each as it came.
  expect(soon.length).toBe(3_002);
});
