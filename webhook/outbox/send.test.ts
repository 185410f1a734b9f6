import { sql } from 'drizzle-orm';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import type { PublishMessage } from '#emqx/api.ts';
import { query } from '../db/query.ts';
import { type Json, openDatabase } from '../testing.ts';
import { createMemoryStore } from '../testing-store.ts';
import { send } from './send.ts';

const database = await openDatabase();
afterAll(() => database.close());
const { db } = database;
const objects = createMemoryStore();

const callSize = 1_000;
/** Commands that wait, numbered; each tenth is of another device. */
const fill = (n: number) =>
  db.execute(sql`
    insert into outbox (device_id, topic, body, send_at)
    select 'device-' || (i % 10), 'control/command', jsonb_build_object('n', i), now() - interval '1 s'
    from generate_series(1, ${n}::int) i`);
const left = async () =>
  (
    await query<{ waiting: number; leased: number }>(
      db,
      sql`select count(*) filter (where tries = 0)::int as waiting,
            count(*) filter (where send_at > now() + interval '20 s')::int as leased from outbox`,
    )
  )[0];

/** A broker whose calls end when the test says so. */
function createSlowBroker() {
  const calls: { numbers: number[]; end(): void; fail(): void }[] = [];
  const publishBulk = (messages: PublishMessage[]) =>
    new Promise((resolve, reject) => {
      calls.push({
        numbers: messages.map(({ payload }) => JSON.parse(payload).n),
        end: () => resolve(messages.map(() => ({ kind: 'routed' }))),
        fail: () => reject(new Error('away')),
      });
    });
  const context = { db, objects, broker: { publishBulk }, log() {}, live: { changed() {} } } as Json;
  const call = (n: number) => until(`call ${n}`, () => calls[n]);
  return { calls, call, context };
}
const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

beforeEach(() => db.execute(sql`truncate outbox restart identity`));

test('while the broker takes a call the next one is got ready, but not sent before', async () => {
  await fill(2 * callSize + 5);
  const { calls, call, context } = createSlowBroker();
  const sending = send(context);
  const first = await call(0);
  expect(first.numbers).toEqual(numbers(1, callSize));
  // The first and the second are leased, and nobody has been told of the second.
  await until('the second claimed', async () => (await left())!.leased === 2 * callSize);
  expect(calls).toHaveLength(1);
  first.end();
  const second = await call(1);
  expect(second.numbers).toEqual(numbers(callSize + 1, 2 * callSize));
  await until('the first settled and the third claimed', async () => (await left())!.leased === callSize + 5);
  second.end();
  const third = await call(2);
  third.end();
  expect(await sending).toBe(false);
  expect(calls.flatMap((one) => one.numbers)).toEqual(numbers(1, 2 * callSize + 5));
  expect(await db.$count(sql`outbox`)).toBe(0);
});

test('when a call fails, what was claimed ahead is not sent before it, and neither waits for a lease', async () => {
  await fill(callSize + 5);
  const { calls, call, context } = createSlowBroker();
  const sending = send(context);
  const first = await call(0);
  await until('the second claimed', async () => (await left())!.waiting === 0);
  first.fail();
  await expect(sending).rejects.toThrow('away');
  expect(calls).toHaveLength(1);
  expect(await left()).toEqual({ waiting: 0, leased: 0 });
  await db.execute(sql`update outbox set send_at = now()`);
  const again = send(context);
  (await call(1)).end();
  (await call(2)).end();
  expect(await again).toBe(false);
  expect(calls.slice(1).flatMap((one) => one.numbers)).toEqual(numbers(1, callSize + 5));
});

test('a copy that dies with two calls in its hands leaves both to their leases: all is sent, the first call at most twice', async () => {
  await fill(callSize + 5);
  const dead = createSlowBroker();
  void send(dead.context);
  const { numbers: once } = await dead.call(0);
  await until('both claimed', async () => (await left())!.leased === callSize + 5);
  const { calls, call, context } = createSlowBroker();
  expect(await send(context)).toBe(false);
  expect(calls).toEqual([]);
  await db.execute(sql`update outbox set send_at = now()`);
  const sending = send(context);
  (await call(0)).end();
  (await call(1)).end();
  await sending;
  expect(once).toEqual(numbers(1, callSize));
  expect(calls.flatMap((one) => one.numbers)).toEqual(numbers(1, callSize + 5));
});

test('a cancel waits while another copy holds its request, or a device would take that after it', async () => {
  const deployment = '00000000-0000-4000-8000-000000000001';
  await db.execute(sql`
    insert into outbox (device_id, topic, deployment_id, attempt, send_at) values
      ('a', 'firmware/download/request', ${deployment}, 1, now() + interval '25 s'),
      ('a', 'firmware/download/cancel', ${deployment}, 1, now()),
      ('b', 'firmware/download/cancel', ${deployment}, 1, now())`);
  const { calls, call, context } = createSlowBroker();
  const sending = send(context);
  (await call(0)).end();
  await sending;
  expect(calls.map((one) => one.numbers.length)).toEqual([1]);
  await db.execute(sql`delete from outbox where topic = 'firmware/download/request'`);
  const later = send(context);
  (await call(1)).end();
  await later;
  expect(await db.$count(sql`outbox`)).toBe(0);
});
