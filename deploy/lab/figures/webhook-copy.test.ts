import { afterEach, expect, test, vi } from 'vitest';
import { headName } from '#webhook/audit/heads.ts';
import { startWebhook } from '#webhook/server.ts';
import { openDatabase } from '#webhook/testing.ts';
import { deafBroker, parts } from './webhook-copy.ts';

afterEach(() => void vi.restoreAllMocks());

test('a copy between its doubles tells of no fault: what a benchmark prints is its own', async () => {
  const told: unknown[][] = [];
  for (const method of ['error', 'warn'] as const)
    vi.spyOn(console, method).mockImplementation((...what) => void told.push(what));
  const database = await openDatabase();
  const between = parts(database, deafBroker());
  // The background's first round, with all its steps, is over before a copy ends.
  const copy = await startWebhook(between, { host: '127.0.0.1', port: 0, internalPort: 0, admin: null });
  await copy.close();
  await database.close();
  expect(told).toEqual([]);
  expect((await between.objects.open(headName)).sizeBytes).toBeGreaterThan(0);
});
