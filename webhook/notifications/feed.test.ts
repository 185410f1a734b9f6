import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { locks } from '../db/locks.ts';
import { query } from '../db/query.ts';
import type { Json } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { tell } from './events.ts';
import type { Fact } from './kinds.ts';
import { rule } from './ruling.ts';

const { database, webhook } = await startSuite();
const { db } = database;

const follow = async (after: number, limit = 1000) =>
  (await webhook.api('GET', `/api/events?after=${after}&limit=${limit}`)).body as {
    items: Json[];
    next: number;
  };
const fact = (device: string): Fact => ({
  kind: 'dead_letters',
  severity: 'warning',
  key: randomUUID(),
  regionIds: [],
  data: { code: 'payload_invalid', device },
});

test('a follower is told everything once, in order, page by page', async () => {
  const { next: start } = await follow(0);
  const names = Array.from({ length: 25 }, (_, i) => `device-${String(i).padStart(2, '0')}`);
  for (const name of names) await tell(db, [fact(name)]);
  const heard: Json[] = [];
  let after = start;
  await until('all', async () => {
    const { items, next } = await follow(after, 7);
    heard.push(...items);
    after = next;
    return heard.length >= names.length;
  });
  expect(heard.map((event) => event.data.device)).toEqual(names);
  expect(heard[0]).toMatchObject({
    kind: 'dead_letters',
    severity: 'warning',
    regions: [],
    text: expect.stringContaining('payload_invalid (device-00)'),
  });
  const numbers = heard.map((event) => event.number as number);
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  expect(await follow(after)).toEqual({ items: [], next: after });
});

/** PGlite has one connection, so that nobody else ever gives numbers. */
test.skipIf(database.kind === 'pglite')('while one copy gives numbers, no other does', async () => {
  const unnumbered = () => query(db, sql`select from notification_events where number is null`);
  await until('quiet', async () => (await unnumbered()).length === 0);
  const other = await database.another();
  await db.transaction(async (tx) => {
    await tx.execute(sql`select pg_advisory_xact_lock(${locks.ruling})`);
    await tell(other.db, [fact('waits')]);
    expect(await rule(other.db)).toBe(false);
    expect(await query(other.db, sql`select from notification_events where number is null`)).toHaveLength(1);
  });
  await other.close();
  await until('its number', async () => (await unnumbered()).length === 0);
});

test('asked for nonsense, it says so', async () => {
  for (const bad of ['after=-1', 'after=x', 'limit=0', 'limit=1001'])
    expect([bad, (await webhook.api('GET', `/api/events?${bad}`)).status]).toEqual([bad, 400]);
});
