/** What the first release wrote is opened, migrated and gone on with. */
import { readFile } from 'node:fs/promises';
import { afterAll, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { createPasswords } from './auth/password.ts';
import { bucket, getLatest } from './telemetry/measurements.ts';
import { rollUp, rollUpStray } from './telemetry/rollup.ts';
import { createDevice, type Json, openDatabase, startTestWebhook } from './testing.ts';

const written = await readFile(new URL('db/fixtures/0.1.0.sql', import.meta.url), 'utf8');
const database = await openDatabase(written);
afterAll(() => database.close());
// Before a copy sweeps what is too old.
const readMeasured = async () => ({
  points: await bucket(database.db, {
    ...{ deviceId: 'device-003', topic: 'data/sensors', value: 'temperature', bucketMs: 60_000 },
    ...{ from: new Date('2026-11-29T00:00:00Z'), to: new Date('2026-12-03T00:00:00Z') },
  }),
  latest: await getLatest(database.db, 'device-003'),
});
const measured = await readMeasured();
const later = Date.parse('2026-12-05T00:00:00Z');
while ((await rollUpStray(database.db, 1, later, 1_000)) > 0);
await rollUp(database.db, 1, later);
const rolledUp = await readMeasured();
// What was hashed at the real cost is compared at it.
const webhook = await startTestWebhook(database, { passwords: createPasswords() });
afterAll(() => webhook.close());

/** Made in it: one that is complete, and one that was paused before its two devices, which were offline, had been asked. */
const paused = '280e6ab9-0919-4508-8dca-d9bb4b5c566f';
const get = async (path: string, headers?: Record<string, string>): Promise<Json> => {
  const { status, body } = await webhook.api('GET', path, undefined, headers);
  expect([path, status]).toEqual([path, 200]);
  return body;
};

test('devices, firmware, deployments and people are all there', async () => {
  const { items, total } = await get('/api/devices?limit=100');
  expect(total).toBe(10);
  expect(items.map((d: Json) => [d.id, d.running[0].version])).toEqual(
    Array.from({ length: 10 }, (_, i) => [`device-${String(i + 1).padStart(3, '0')}`, '1.0.0']),
  );
  expect((await get('/api/devices?limit=1&q=tag = pilot')).items.map((d: Json) => d.id)).toEqual([
    'device-003',
  ]);
  expect((await get('/api/devices/device-001')).channel).toBe('stable');
  const deployments = (await get('/api/deployments?limit=9')).items;
  expect(deployments.map((d: Json) => [d.firmware.version, d.state, d.counts.succeeded])).toEqual([
    ['2.0.0', 'paused', 0],
    ['1.0.0', 'completed', 0],
    ['1.0.0', 'completed', 10],
  ]);
  const secret = 'flota_T47erh-qlo8mR3oLQcXzoH44z0mW13ioNY4xqBSFnZc';
  expect((await get('/api/me', { authorization: `Bearer ${secret}` })).role).toBe('operator');
  const login = { email: 'viewer@flota.test', password: 'a viewer of the first release' };
  expect((await webhook.api('POST', '/api/login', login, {})).status).toBe(200);
});

test('every measurement is charted, before it is rolled up and then; the last ones are whole', () => {
  const rows = [
    ...written.matchAll(/'device-003', 'data\/sensors', '(\S+ [0-9:]+).*"temperature": ([0-9.]+)/g),
  ];
  const temperatures = rows.sort(([, a], [, b]) => (a! < b! ? -1 : 1)).map(([, , value]) => Number(value));
  expect(temperatures.length).toBeGreaterThan(10);
  const { points, latest } = measured;
  expect(points.reduce((n, { count }) => n + count, 0)).toBe(temperatures.length);
  expect(Math.max(...points.map(({ max }) => max))).toBe(Math.max(...temperatures));
  expect(rolledUp.points.map(({ avg, ...rest }) => rest)).toEqual(points.map(({ avg, ...rest }) => rest));
  expect(rolledUp.latest).toEqual(latest);
  expect(latest.find(({ topic }) => topic === 'data/sensors')!.body).toEqual({
    values: { temperature: temperatures.at(-1), humidity: expect.any(Number) },
  });
});

test('each device has a certificate in use, as if it had always been kept', async () => {
  const { items } = await get('/api/certificates/expiring?days=3650&limit=100');
  expect(items).toHaveLength(10);
  for (const { device, serial } of items)
    expect(await get(`/api/certificates/${serial}`)).toMatchObject({ commonName: device, revocation: null });
});

test('the audit log goes on from the hash that it ended with', async () => {
  expect((await webhook.api('PATCH', '/api/devices/device-004', { tags: ['upgraded'] })).status).toBe(200);
  expect(await get('/api/audit/verification')).toMatchObject({ valid: true });
});

test('a paused deployment is resumed, its devices are asked and end it; a command that waited is sent', async () => {
  const devices = ['device-008', 'device-009'].map((id) => createDevice(webhook, id));
  for (const device of devices) {
    await device.connect();
    await device.subscribe();
  }
  await until('the command', () => webhook.broker.to('device-009', 'control/command').length === 1);
  expect((await webhook.api('POST', `/api/deployments/${paused}/resume`)).status).toBe(202);
  await until('the requests', () => devices.every((device) => device.requests().length === 1));
  const { firmware } = await get(`/api/deployments/${paused}`);
  const { sha256 } = await get(`/api/firmware/${firmware.id}`);
  // Numbers of their first boots were used up before.
  for (const device of devices) await device.result(paused, sha256, 'succeeded', { seq: [99, 0] });
  await until('the end', async () => (await get(`/api/deployments/${paused}`)).state === 'completed');
});
