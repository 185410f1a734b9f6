import { sql } from 'drizzle-orm';
import { afterAll, expect, test } from 'vitest';
import { createPartitions } from '../db/partitions.ts';
import { type Db, query } from '../db/query.ts';
import { devices } from '../devices/table.ts';
import { openDatabase } from '../testing.ts';
import { bucket, getLatest } from './measurements.ts';
import { rollUp as rollUpPartitions, rollUpStray } from './rollup.ts';
import { recordTelemetry } from './telemetry.ts';

const database = await openDatabase();
afterAll(() => database.close());
const { db } = database;

const hourMs = 3_600_000;
const start = Date.UTC(2026, 0, 5, 3);
const end = start + 12 * hourMs;
const old = end + 100 * hourMs;
await createPartitions(db, start);

async function rollUp(of: Db, hours: number, now: number): Promise<void> {
  await rollUpPartitions(of, hours, now);
  while ((await rollUpStray(of, hours, now, 150)) > 0);
}

let made = 0;
async function createDevice(): Promise<string> {
  const id = `rolled-${++made}`;
  await db.insert(devices).values({ id, name: id, hardware: 'x' });
  return id;
}
const say = (deviceId: string, rows: [ms: number, values: Record<string, number>][]) =>
  recordTelemetry(
    db,
    rows.map(([ms, values]) => ({
      ...{ deviceId, topic: 'data/sensors', at: new Date(start + ms) },
      body: { id: 'x', at: null, values },
    })),
  );
const chart = (deviceId: string, bucketMs: number, value = 't') =>
  bucket(db, {
    ...{ deviceId, value, bucketMs, topic: 'data/sensors' },
    ...{ from: new Date(start), to: new Date(end) },
  });
const one = async (statement: ReturnType<typeof sql>) => (await query<{ n: number }>(db, statement))[0]!.n;
const kept = (deviceId: string, table: 'measurements' | 'measured_hours') =>
  one(sql`select count(*)::int as n from ${sql.identifier(table)}
          where source in (select id from telemetry_sources where device_id = ${deviceId})`);
/** Decimals as devices measure them, several in some minutes and none in others. */
const noise = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i): [number, Record<string, number>] => [
    ((i + from) * 7_919_333) % (10 * hourMs),
    { t: Math.round(Math.sin(i + from) * 300) / 10, ...(i % 3 === 0 && { "it's; a": i }) },
  ]);
const close = (points: Awaited<ReturnType<typeof chart>>) =>
  points.map((p) => ({ ...p, avg: Number(p.avg.toFixed(9)) }));

test('what is rolled up is charted as before, by the minute and by the hour; the rest stays as it is', async () => {
  const device = await createDevice();
  await say(device, noise(900));
  const charts = () =>
    Promise.all([chart(device, 60_000), chart(device, hourMs), chart(device, 3 * hourMs, "it's; a")]);
  const before = await charts();
  expect(before.map((points) => points.reduce((n, { count }) => n + count, 0))).toEqual([900, 900, 300]);
  // Only what has ended: six hours are one partition.
  await rollUp(db, 24, start + 27 * hourMs);
  expect(await kept(device, 'measured_hours')).toBe(3);
  expect(await kept(device, 'measurements')).toBeGreaterThan(0);
  expect((await charts()).map(close)).toEqual(before.map(close));
  await rollUp(db, 24, old);
  expect([await kept(device, 'measurements'), await kept(device, 'measured_hours')]).toEqual([0, 10]);
  expect((await charts()).map(close)).toEqual(before.map(close));
});

test('again, in several copies or behind one that failed, nothing is counted twice; late ones are added to their minute', async () => {
  const [device, whole] = [await createDevice(), await createDevice()];
  await createPartitions(db, start);
  await say(device, noise(400));
  await db.execute(sql`alter table measured_hours rename to away`);
  await expect(rollUp(db, 24, old)).rejects.toThrow();
  await db.execute(sql`alter table away rename to measured_hours`);
  expect(await kept(device, 'measurements')).toBe(400);
  const other = await database.another();
  await Promise.all([rollUp(db, 24, old), rollUp(other.db, 24, old)]);
  await rollUp(db, 24, old);
  // Their partitions are gone.
  await say(device, noise(200, 400));
  await Promise.all([rollUp(other.db, 24, old), rollUp(db, 24, old)]);
  await rollUp(db, 24, old);
  await other.close();
  expect([await kept(device, 'measurements'), await kept(device, 'measured_hours')]).toEqual([0, 10]);
  await say(whole, [...noise(400), ...noise(200, 400)]);
  const expected = close(await chart(whole, 60_000));
  expect(close(await chart(device, 60_000))).toEqual(expected);
  expect(close(await chart(device, hourMs))).toEqual(close(await chart(whole, hourMs)));
});

test('charts that are asked for meanwhile are answered', async () => {
  const device = await createDevice();
  await createPartitions(db, start);
  await say(device, noise(50));
  let going = true;
  const ask = async () => {
    while (going) expect((await chart(device, hourMs)).reduce((n, { count }) => n + count, 0)).toBe(50);
  };
  const asked = [ask(), ask(), ask()];
  const other = await database.another();
  // Partitions of five days go.
  await rollUp(other.db, 1, old).finally(() => {
    going = false;
  });
  await Promise.all(asked);
  await other.close();
});

test('the last message stays whole, whichever was rolled up', async () => {
  const device = await createDevice();
  const network = (ms: number, ip: string) =>
    recordTelemetry(db, [
      {
        deviceId: device,
        topic: 'status/network',
        at: new Date(start + ms),
        body: { id: 'x', at: null, ip },
      },
    ]);
  const latest = async () =>
    (await getLatest(db, device)).map(({ at, body }) => [at.getTime() - start, body]);
  await network(hourMs, '10.0.0.1');
  await network(0, '10.0.0.0');
  await rollUp(db, 24, old);
  expect(await latest()).toEqual([[hourMs, { ip: '10.0.0.1' }]]);
  await network(1_000, '10.0.0.2');
  expect(await latest()).toEqual([[hourMs, { ip: '10.0.0.1' }]]);
  await network(2 * hourMs, '10.0.0.3');
  expect(await latest()).toEqual([[2 * hourMs, { ip: '10.0.0.3' }]]);
});

test('no number stops it, however large or small', async () => {
  const device = await createDevice();
  const numbers = [1.7976931348623157e308, 1.7976931348623157e308, 5e-324, 2 ** 53, 0.1];
  await say(
    device,
    numbers.map((t, i) => [i * 10, { t, [`n${i}`]: t }]),
  );
  await rollUp(db, 24, old);
  expect(await kept(device, 'measurements')).toBe(0);
  for (const [i, n] of numbers.entries())
    expect(await chart(device, hourMs, `n${i}`)).toMatchObject([{ min: n, avg: n, max: n, count: 1 }]);
  expect(await chart(device, hourMs)).toMatchObject([{ min: 5e-324, max: numbers[0], count: 5 }]);
});
