import { sql } from 'drizzle-orm';
import { describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { query } from '../../db/query.ts';
import { rollUpStray } from '../../telemetry/rollup.ts';
import { recordTelemetry } from '../../telemetry/telemetry.ts';
import type { MeasuredTopic } from '../../telemetry/topics.ts';
import type { TestDevice } from '../../testing.ts';
import { startSuite } from '../../testing-suite.ts';
import type { Signal } from './signals.ts';
import { between, meanOf } from './values.ts';

const { database, webhook } = await startSuite();
const { db } = database;

const incidents = (device: TestDevice) =>
  query<{ kind: string; amount: number }>(
    db,
    sql`select kind, amount::int as amount from device_incidents where device_id = ${device.id} order by id`,
  );
const image = 'a'.repeat(64);

describe('of what devices go through', () => {
  test('a restart that nobody wanted is kept, and one that could not be told is known by the count', async () => {
    const device = await webhook.device();
    await device.boot(image, [1, 0], 'power_on');
    await device.boot(image, [2, 0], 'update');
    await device.boot(image, [3, 0], 'command');
    await device.boot(image, [4, 0], 'watchdog');
    await device.boot(image, [7, 0], 'update');
    expect(await incidents(device)).toEqual([
      { kind: 'restart', amount: 1 },
      { kind: 'restart', amount: 1 },
      { kind: 'restart', amount: 2 },
    ]);
  });

  test('the same report again is no other restart', async () => {
    const device = await webhook.device();
    const row = device.row('status/health', {
      ...{ id: 'same', seq: [1, 0], state: 'ok', running: [device.running(image)] },
      boot: { count: 1, reason: 'watchdog' },
    });
    await webhook.event(row);
    await webhook.event(row);
    expect(await incidents(device)).toHaveLength(1);
  });

  test('an outage is kept when it ends; the first connect, and one that came before, end none', async () => {
    const device = await webhook.device();
    const first = Date.now() - 60_000;
    await device.connect(first);
    await device.connect(first - 1_000);
    expect(await incidents(device)).toEqual([]);
    await device.disconnect(first);
    await db.execute(sql`update devices set last_seen_at = now() - interval '30 s' where id = ${device.id}`);
    await device.connect();
    const [outage, ...rest] = await incidents(device);
    expect([outage!.kind, rest]).toEqual(['outage', []]);
    expect(Math.abs(outage!.amount - 30_000)).toBeLessThan(15_000);
    // Another connection while the first still counts as one: no time is lost, and it is one more disconnect.
    await device.connect(Date.now() + 1_000);
    expect((await incidents(device)).at(-1)).toEqual({ kind: 'outage', amount: 0 });
  });

  test('nothing is left of a device that is deleted', async () => {
    const device = await webhook.device();
    await device.boot(image, [1, 0], 'watchdog');
    expect(await incidents(device)).toHaveLength(1);
    await webhook.api('DELETE', `/api/devices/${device.id}`);
    await until('it is gone', async () => (await incidents(device)).length === 0);
  });
});

describe('a signal over ten windows of a minute is', () => {
  const windowMs = 60_000;
  const [from, to] = [Date.UTC(2030, 0, 1), Date.UTC(2030, 0, 1) + 10 * windowMs];
  const iso = (ms: number) => new Date(ms).toISOString();
  const measure = async (signal: Signal, device: TestDevice) => {
    const [row] = await query<{ value: number | null }>(
      db,
      sql`select ${meanOf(signal, sql`d`, between(from, to), windowMs)} as value from devices d where id = ${device.id}`,
    );
    return row!.value;
  };
  const add = (device: TestDevice, kind: string, atMs: number, amount: number) =>
    db.execute(
      sql`insert into device_incidents (device_id, at, kind, amount) values (${device.id}, ${iso(atMs)}::timestamptz, ${kind}, ${amount})`,
    );
  const signal = (kind: 'restarts' | 'disconnects' | 'offline' | 'heap' | 'rssi'): Signal => ({
    kind,
    marginPercent: 10,
  });

  test('for restarts, the share of windows that had any', async () => {
    const device = await webhook.device();
    for (const s of [0, 1, 2, 130, 599, 600]) await add(device, 'restart', from + s * 1000, 1);
    expect(await measure(signal('restarts'), device)).toBeCloseTo(0.3);
  });

  test('for disconnects, the share of windows in which any began; time offline is cut to the period', async () => {
    const device = await webhook.device();
    await add(device, 'outage', from + 30_000, 60_000); // began before
    await add(device, 'outage', from + 150_000, 60_000);
    await add(device, 'outage', to + 60_000, 120_000); // ends after
    expect(await measure(signal('disconnects'), device)).toBeCloseTo(0.2);
    expect(await measure(signal('offline'), device)).toBeCloseTo((30 + 60 + 60) / 600);
  });

  test('for one that is away, until it is back', async () => {
    const device = await webhook.device();
    await db.execute(
      sql`update devices set online = false, last_seen_at = ${iso(to - 150_000)}::timestamptz where id = ${device.id}`,
    );
    expect(await measure(signal('offline'), device)).toBeCloseTo(0.25);
    expect(await measure(signal('disconnects'), device)).toBeCloseTo(0.1);
  });

  test('for what is measured, the mean of the numbers, and nothing without any', async () => {
    const device = await webhook.device();
    const say = (topic: MeasuredTopic, body: Record<string, unknown>, atMs = from + 1000) =>
      recordTelemetry(db, [{ deviceId: device.id, topic, at: new Date(atMs), body }]);
    expect(await measure(signal('heap'), device)).toBeNull();
    await say('status/system', { freeHeapBytes: 100 });
    await say('status/system', { freeHeapBytes: 300 });
    await say('status/system', { uptimeMs: 1 });
    await say('status/network', { rssiDbm: -60 });
    await say('data/metrics', { values: { 'odd "name"': 4 } });
    expect(await measure(signal('heap'), device)).toBe(200);
    expect(await measure(signal('rssi'), device)).toBe(-60);
    const metric = (name: string): Signal => ({ kind: 'metric', name, better: 'high', marginPercent: 10 });
    expect(await measure(metric('odd "name"'), device)).toBe(4);
    expect(await measure(metric('other'), device)).toBeNull();
    // The same when they have become minutes, beside one that has not yet.
    while ((await rollUpStray(db, 1, to + 3 * 3_600_000, 1_000)) > 0);
    await say('status/system', { freeHeapBytes: 500 }, to - 60_000);
    expect(await measure(signal('heap'), device)).toBe(300);
    expect(await measure(metric('odd "name"'), device)).toBe(4);
  });
});
