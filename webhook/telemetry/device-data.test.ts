import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { query } from '../db/query.ts';
import { devices } from '../devices/table.ts';
import type { Json, TestDevice } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { hasNewest } from './newest.ts';

const { database, webhook } = await startSuite();

const of = async (device: { id: string }, what: string): Promise<Json> =>
  (await webhook.api('GET', `/api/devices/${device.id}/${what}`)).body;
const at = (row: object, ms: number) => webhook.event({ ...row, received_at: ms });

test('a command reaches the device, and its answer is kept beside it', async () => {
  const device = await webhook.device();
  await device.connect();
  await device.subscribe();
  const send = (body: object) => webhook.api('POST', `/api/devices/${device.id}/commands`, body);
  const sent = await send({ command: 'led.set', args: { color: 'red' } });
  expect([sent.status, sent.body]).toMatchObject([202, { command: 'led.set', answeredAt: null, ok: null }]);
  const message = await until('the command', () => webhook.broker.to(device.id, 'control/command')[0]);
  expect(message.body).toMatchObject({ command: 'led.set', args: { color: 'red' } });
  await device.critical('control/response', { command: message.body.id, ok: true, result: { was: 'blue' } });
  const refused = await send({ command: 'reboot' });
  const { id } = refused.body;
  await device.critical('control/response', { command: id, ok: false, error: { code: 'busy' } });
  const { items, total } = await of(device, 'commands');
  expect(total).toBe(2);
  expect(items[0]).toMatchObject({ id, args: null, ok: false, error: { code: 'busy' } });
  expect(items[1]).toMatchObject({
    id: sent.body.id,
    ok: true,
    result: { was: 'blue' },
    createdBy: 'api-token',
  });
  expect(items[1].answeredAt).not.toBeNull();
  expect((await of(device, 'commands?limit=1&offset=1')).items).toEqual([items[1]]);
  expect((await send({ command: 'No Good' })).status).toBe(400);
  expect((await send({ command: 'big', args: { x: 'é'.repeat(2000) } })).status).toBe(400);
  expect((await webhook.api('POST', '/api/devices/nobody/commands', { command: 'x' })).status).toBe(404);
});

test('logs are read newest first, by gravity and time', async () => {
  const device = await webhook.device();
  const start = Date.now() - 60_000;
  for (const [i, level] of ['debug', 'error', 'info', 'warn'].entries())
    await at(device.row('log', { level, message: `${level} ${i}` }), start + i * 1000);
  expect((await of(device, 'logs')).items.map((l: Json) => l.level)).toEqual([
    'warn',
    'info',
    'error',
    'debug',
  ]);
  expect((await of(device, 'logs?level=warn')).items).toEqual([
    { at: new Date(start + 3000).toISOString(), level: 'warn', message: 'warn 3' },
    { at: new Date(start + 1000).toISOString(), level: 'error', message: 'error 1' },
  ]);
  const from = new Date(start + 2000).toISOString();
  expect((await of(device, `logs?from=${from}&limit=1`)).total).toBe(2);
  expect((await webhook.api('GET', '/api/devices/nobody/logs')).status).toBe(404);
});

test('a measured value comes in buckets with least, mean and greatest; other values and other devices stay out', async () => {
  const [device, other] = [await webhook.device(), await webhook.device()];
  const start = Date.UTC(2030, 0, 1);
  const measure = (d: TestDevice, offset: number, values: object) =>
    at(d.row('data/sensors', { values }), start + offset);
  await measure(device, 0, { t: 10, "it's": 1 });
  await measure(device, 59_999, { t: 20, p: 99 });
  await measure(device, 60_000, { t: -3.5 });
  await measure(device, 200_000, { p: 1 });
  await measure(device, 300_000, { t: 1000 });
  await measure(other, 0, { t: 999 });
  await at(device.row('status/system', { uptimeMs: 5 }), start);
  const range = `from=${new Date(start).toISOString()}&to=${new Date(start + 300_000).toISOString()}`;
  const chart = await of(device, `telemetry?topic=data/sensors&value=t&${range}&bucketMs=60000`);
  expect(chart).toEqual({
    from: new Date(start).toISOString(),
    to: new Date(start + 300_000).toISOString(),
    bucketMs: 60_000,
    points: [
      { at: new Date(start).toISOString(), min: 10, avg: 15, max: 20, count: 2 },
      { at: new Date(start + 60_000).toISOString(), min: -3.5, avg: -3.5, max: -3.5, count: 1 },
    ],
  });
  expect((await of(device, `telemetry?topic=data/sensors&value=it's&${range}`)).points).toHaveLength(1);
  const uptime = await of(device, `telemetry?topic=status/system&value=uptimeMs&${range}`);
  expect([uptime.bucketMs, uptime.points[0].max]).toEqual([1500, 5]);
  // A text is no number, whatever it is called.
  expect((await of(device, `telemetry?topic=status/system&value=id&${range}`)).points).toEqual([]);
  const refused = [
    'topic=log&value=t',
    `topic=data/sensors&value=t&${range}&bucketMs=5`,
    `topic=data/sensors&value=t&from=${new Date(0).toISOString()}&bucketMs=1000`,
    `topic=data/sensors&value=t&from=${new Date(start).toISOString()}&to=${new Date(0).toISOString()}`,
  ];
  for (const query of refused)
    expect((await webhook.api('GET', `/api/devices/${device.id}/telemetry?${query}`)).status).toBe(400);
});

test('the last health and the last of each kind of measurement are the status', async () => {
  const device = await webhook.device();
  expect(await of(device, 'status')).toEqual({ health: null, latest: [] });
  const now = Date.now();
  await at(device.row('status/network', { rssiDbm: -60 }), now - 1000);
  await at(device.row('status/network', { rssiDbm: -70 }), now);
  await at(device.row('data/metrics', { values: { loops: 3 } }), now);
  await device.send('status/health', { state: 'degraded', running: [device.running('b'.repeat(64))] });
  const { health, latest } = await of(device, 'status');
  expect(health).toMatchObject({ state: 'degraded' });
  expect(latest.map((l: Json) => [l.topic, l.body.rssiDbm ?? l.body.values.loops])).toEqual([
    ['status/network', -70],
    ['data/metrics', 3],
  ]);
  expect((await webhook.api('GET', `/api/devices/${device.id}`)).body.health).toBe('degraded');
});

test('what deployments did to a device is its firmware history, newest first', async () => {
  const device = await webhook.device();
  await device.connect();
  await device.subscribe();
  const firmware = await webhook.firmware();
  const first = await webhook.deploy(firmware.id, device);
  await until('the request', () => device.requests().length > 0);
  await device.accept(first.id);
  const stats = { downloadMs: 1234, resumes: 0, receivedBytes: 1, redownloadedBytes: 0 };
  await device.result(first.id, firmware.sha256, 'succeeded', { stats });
  await webhook.deploy((await webhook.firmware()).id, device);
  const { items, total } = await of(device, 'firmware_history');
  expect(total).toBe(2);
  expect(items[1]).toMatchObject({
    deployment: first.id,
    firmware: { id: firmware.id, version: firmware.version },
    state: 'succeeded',
    downloadMs: 1234,
    errorCode: null,
  });
  expect((await of(device, 'firmware_history?limit=1')).items[0].deployment).not.toBe(first.id);
  expect((await webhook.api('GET', `/api/devices/${randomUUID()}/firmware_history`)).status).toBe(404);
});

describe('the newest number of each name', () => {
  const told = async (device: TestDevice) => {
    const rows = await query<{ name: string; value: number }>(
      database.db,
      sql`select name, value from device_metrics where device_id = ${device.id} order by name`,
    );
    return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
  };
  const say = (device: TestDevice, topic: 'data/metrics' | 'data/sensors', values: object, agoMs = 0) =>
    webhook.event({ ...device.row(topic, { values }), received_at: Date.now() - agoMs });

  test('is kept, whichever message comes last; data/metrics goes before data/sensors for a day', async () => {
    const device = await webhook.device();
    await say(device, 'data/sensors', { battery: 1, light: 300 }, 5_000);
    await say(device, 'data/sensors', { battery: 2 });
    await say(device, 'data/sensors', { battery: 3, light: 100 }, 9_000);
    expect(await told(device)).toEqual({ battery: 2, light: 300 });
    await say(device, 'data/metrics', { battery: 40 }, 60_000);
    expect(await told(device)).toEqual({ battery: 2, light: 300 });
    await say(device, 'data/metrics', { battery: 50 });
    await say(device, 'data/sensors', { battery: 4 });
    expect(await told(device)).toEqual({ battery: 50, light: 300 });
    const { db } = database;
    await db.execute(
      sql`update device_metrics set at = at - interval '25 hours' where device_id = ${device.id}`,
    );
    await say(device, 'data/sensors', { battery: 5 });
    expect(await told(device)).toEqual({ battery: 5, light: 300 });
    await webhook.api('DELETE', `/api/devices/${device.id}`);
    expect(await told(device)).toEqual({});
  });

  test('compares as numbers do, wherever a level of the index begins', async () => {
    const numbers = [-1e300, -30.5, -30, -1, -0.04, 0, 0.04, 1, 29.999, 30, 30.001, 2 ** 53, 1.7e308];
    const names = numbers.map((_, i) => `n${i}`);
    const device = await webhook.device();
    await say(device, 'data/metrics', Object.fromEntries(numbers.map((n, i) => [names[i], n])));
    const holds = {
      '=': (a: number, b: number) => a === b,
      '!=': (a: number, b: number) => a !== b,
      '<': (a: number, b: number) => a < b,
      '<=': (a: number, b: number) => a <= b,
      '>': (a: number, b: number) => a > b,
      '>=': (a: number, b: number) => a >= b,
    };
    for (const operator of Object.keys(holds) as (keyof typeof holds)[]) {
      for (const limit of numbers) {
        const conditions = names.map((name) => hasNewest(devices.id, name, operator, limit));
        const [row] = await query<{ found: boolean[] }>(
          database.db,
          sql`select array[${sql.join(conditions, sql`, `)}] as found from devices where id = ${device.id}`,
        );
        expect([operator, limit, row!.found]).toEqual([
          operator,
          limit,
          numbers.map((n) => holds[operator](n, limit)),
        ]);
      }
    }
  });

  test('is kept of some names only of a device that goes on inventing them', async () => {
    const device = await webhook.device();
    const named = (n: number) => Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`m-${n}-${i}`, i]));
    for (let n = 0; n < 4; n++) await say(device, 'data/metrics', named(n));
    await say(device, 'data/metrics', { 'm-0-7': 99 });
    const kept = await told(device);
    expect([Object.keys(kept).length, kept['m-0-7']]).toEqual([64, 99]);
  });
});
