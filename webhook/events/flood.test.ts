/** What floods takes its own share of the database, of the queue and of a group, and nobody else's. */
import { randomUUID } from 'node:crypto';
import { eq, sql } from 'drizzle-orm';
import { expect, test } from 'vitest';
import type { Context } from '../context.ts';
import { query } from '../db/query.ts';
import { deviceLogs } from '../telemetry/table.ts';
import type { TestDevice } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { createAllowance } from './allowance.ts';
import { classify } from './classify.ts';
import { bury, countDropped } from './dead-letters.ts';
import { createIngest } from './ingest.ts';

const { database, webhook } = await startSuite();
const { db } = database;

const letterOf = (owner: string, body: string) => ({
  code: 'payload_invalid',
  detail: '',
  clientId: owner || 'stranger',
  topic: null,
  owner,
  body,
});
const keptOf = async (owner: string) => {
  const [row] = await query<{ letters: number; bytes: number; newest: string; oldest: string }>(
    db,
    sql`select count(*)::int as letters, coalesce(sum(octet_length(body)), 0)::int as bytes,
          (array_agg(body order by id desc))[1] as newest, (array_agg(body order by id))[1] as oldest
        from dead_letters where owner = ${owner}`,
  );
  return row!;
};
const pages = async (clientId: string) =>
  (await webhook.api('GET', `/api/dead_letters?clientId=${clientId}&limit=1`)).body;

test('a device that sends nonsense as fast as it can has a few dead letters; the rest is counted, and shown', async () => {
  const [loud, quiet] = [await webhook.device(), await webhook.device()];
  const before = await countDropped(db);
  await quiet.send('log', { level: 'info' });
  const sent = 150;
  const began = Date.now();
  const rows = Array.from({ length: sent }, (_, i) => loud.row('log', { level: 'x'.repeat(8_000), i }));
  const answers = await Promise.all(rows.map((row) => webhook.event(row)));
  // Above its share of the queue it is told to come again.
  const written = answers.filter(({ status }) => status === 202).length;
  const refused = written + answers.filter(({ status }) => status === 400).length;
  const busy = answers.filter(({ status }) => status === 503).length;
  expect(refused + busy).toBe(sent);
  const { letters, bytes } = await keptOf(loud.id);
  expect(letters).toBeGreaterThan(0);
  // The broker counts a 400 as failed, so it hears that of what is not kept, and of nothing else.
  expect(written).toBe(letters);
  // In each ten seconds that this took.
  const windows = 1 + Math.ceil((Date.now() - began) / 10_000);
  expect(letters).toBeLessThanOrEqual(20 * windows);
  expect(bytes).toBeLessThanOrEqual(256 * 1024 * windows);
  expect(await pages(loud.id)).toMatchObject({
    total: letters,
    dropped: { letters: refused - letters, bytes: expect.any(Number) },
  });
  expect(await pages(quiet.id)).toMatchObject({ total: 1, dropped: { letters: 0, bytes: 0 } });
  const metrics = await (await fetch(`http://127.0.0.1:${webhook.copy.internalPort}/metrics`)).text();
  const total = before.letters + refused - letters;
  expect(metrics).toContain(`flota_dead_letters_dropped_total ${total}\n`);
  expect(metrics).toMatch(/flota_dead_letters_dropped_bytes_total [1-9]\d+\n/);
});

test('over hours its oldest make room for the newest, by number and by size', async () => {
  const allowance = createAllowance();
  const [many, large, other] = [randomUUID(), randomUUID(), randomUUID()];
  await bury(db, [letterOf(other, 'stays')], allowance, 0);
  for (let hour = 0; hour < 15; hour++) {
    const now = hour * 3600_000;
    const letters = Array.from({ length: 10 }, (_, i) => letterOf(many, `${hour * 10 + i}`));
    await bury(db, [...letters, letterOf(large, `${hour} ${'x'.repeat(120_000)}`)], allowance, now);
  }
  expect(await keptOf(many)).toMatchObject({ letters: 100, oldest: '50', newest: '149' });
  expect(await countDropped(db, many)).toEqual({ letters: 50, bytes: 90 });
  const { letters, newest } = await keptOf(large);
  expect([letters, newest.slice(0, 3)]).toEqual([8, '14 ']);
  expect((await countDropped(db, large)).letters).toBe(7);
  expect((await keptOf(other)).letters).toBe(1);
});

test('what no registered device has sent shares one quota, whatever names it comes under', async () => {
  const allowance = createAllowance();
  for (let hour = 0; hour < 6; hour++) {
    const letters = Array.from({ length: 190 }, () => ({ ...letterOf('', 'x'), clientId: randomUUID() }));
    await bury(db, letters, allowance, hour * 3600_000);
  }
  expect((await keptOf('')).letters).toBe(1_000);
  const stranger = `stranger-${randomUUID().slice(0, 8)}`;
  const row = {
    ...(await webhook.device()).row('log', {}),
    clientid: stranger,
    topic: `devices/${stranger}/log`,
  };
  await webhook.event(row);
  await webhook.event({ ...row, payload: 'no JSON' });
  expect((await pages(stranger)).total).toBe(2);
  expect((await keptOf('')).letters).toBe(1_000);
});

test('copies that bury at the same time neither wait for each other in a circle nor count anything twice', async () => {
  const owners = Array.from({ length: 6 }, () => randomUUID());
  const copies = await Promise.all([1, 2, 3].map(() => database.another()));
  await Promise.all(
    copies.map(async (copy, c) => {
      const allowance = createAllowance();
      for (let hour = 0; hour < 12; hour++) {
        const mixed = c === 1 ? [...owners].reverse() : owners;
        const letters = mixed.flatMap((owner) => Array.from({ length: 15 }, () => letterOf(owner, 'x')));
        await copy.db.transaction((tx) => bury(tx, letters, allowance, hour * 3600_000));
      }
    }),
  );
  await Promise.all(copies.map((copy) => copy.close()));
  for (const owner of owners) {
    const kept = (await keptOf(owner)).letters;
    expect(kept + (await countDropped(db, owner)).letters).toBe(3 * 12 * 15);
    expect(kept).toBeLessThanOrEqual(100 + 3 * 15);
  }
});

/** An ingest whose first commits wait. */
function gated() {
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const context = {
    database: {
      ingest: {
        transaction: async (work: never) => gate.then(() => database.ingest.transaction(work)),
      },
    },
    wake() {},
    live: { changed() {} },
    log() {},
    broker: webhook.broker,
  } as unknown as Context;
  const groups: number[] = [];
  return {
    open,
    groups,
    ingest: createIngest(
      () => context,
      (events) => void groups.push(events),
    ),
  };
}
const say = (device: TestDevice, message: string) =>
  classify(device.row('log', { level: 'info', message }) as never);

test('while one floods, another’s event is in the next group, and the flood is refused above its share', async () => {
  const { ingest, open } = gated();
  const [loud, quiet] = [await webhook.device(), await webhook.device()];
  const order: string[] = [];
  const refused: string[] = [];
  const submit = (device: TestDevice, message: string) =>
    ingest.submit(say(device, message), '').then(
      () => void order.push(`${device.id} ${message}`),
      (error: { code: string }) => void refused.push(error.code),
    );
  const flood = Array.from({ length: 2_000 }, (_, i) => submit(loud, `${i}`));
  await new Promise((resolve) => setImmediate(resolve));
  expect(refused.length).toBeGreaterThan(1_500);
  expect(new Set(refused)).toEqual(new Set(['overloaded']));
  const quietly = Array.from({ length: 5 }, (_, i) => submit(quiet, `${i}`));
  open();
  await Promise.all([...quietly, ...flood]);
  await ingest.stop();
  expect(order.filter((entry) => entry.startsWith(quiet.id))).toEqual(
    [0, 1, 2, 3, 4].map((i) => `${quiet.id} ${i}`),
  );
  // Turn by turn with the flood, and not behind all that it has waiting.
  expect(order.indexOf(`${quiet.id} 4`)).toBeLessThan(20);
  const kept = await db.select().from(deviceLogs).where(eq(deviceLogs.deviceId, loud.id));
  expect(kept).toHaveLength(2_000 - refused.length);
});

test('a full queue is answered 503 at once, and what was taken is committed', async () => {
  const { ingest, open } = gated();
  await db.execute(sql`
    insert into devices (id, name, hardware) select 'many-' || n, 'Many', 'esp32-s3' from generate_series(0, 3000) n`);
  const device = await webhook.device();
  const submit = (id: string) => {
    const row = {
      ...device.row('log', { level: 'info', message: 'full' }),
      clientid: id,
      topic: `devices/${id}/log`,
    };
    return ingest.submit(classify(row as never), '');
  };
  const taken = Array.from({ length: 3_000 }, (_, i) => submit(`many-${i}`));
  await expect(submit('many-3000')).rejects.toMatchObject({ code: 'overloaded' });
  open();
  expect((await Promise.all(taken)).every((reject) => reject === null)).toBe(true);
  const stopping = ingest.stop();
  await expect(submit('many-3000')).rejects.toMatchObject({ code: 'shutting_down' });
  await stopping;
  expect(await db.select().from(deviceLogs).where(eq(deviceLogs.message, 'full'))).toHaveLength(3_000);
});
