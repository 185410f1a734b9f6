import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { type Json, sha256Of } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { recordHour, recordMoments } from './record.ts';

const { webhook, database } = await startSuite();
const { db } = database;
const momentsOf = async (id: string): Promise<Json[]> =>
  (await webhook.api('GET', `/api/deployments/${id}/moments`)).body;

test('a deployment has a moment for each change of its counts, from its first to its last', async () => {
  const firmware = await webhook.firmware();
  const device = await webhook.device();
  await device.connect();
  await device.subscribe();
  const { id } = await webhook.deploy(firmware.id, device);
  await until('the request', () => device.requests().length > 0);
  await device.accept(id);
  await until('its moment', async () => (await momentsOf(id)).at(-1)?.counts.accepted === 1);
  await device.result(id, firmware.sha256, 'succeeded');
  await until('its last moment', async () => (await momentsOf(id)).at(-1)?.counts.succeeded === 1);
  const moments = await momentsOf(id);
  for (const { counts } of moments) expect(Object.values(counts)).toEqual([1]);
  const times = moments.map(({ at }) => at);
  expect(times).toEqual([...new Set(times)].sort());
  // Nothing has changed, and nothing is written.
  await recordMoments(db);
  expect(await momentsOf(id)).toEqual(moments);
});

test('an older deployment is written down less often', async () => {
  const firmware = await webhook.firmware();
  const device = await webhook.device();
  const { id } = await webhook.deploy(firmware.id, device);
  await until('its first moment', async () => (await momentsOf(id)).length === 1);
  // Ten hours old: a change is worth a moment every six minutes.
  await db.execute(sql`update deployments set created_at = now() - interval '10 hours' where id = ${id}`);
  await device.connect();
  await device.subscribe();
  await until('the request', () => device.requests().length > 0);
  await recordMoments(db);
  expect(await momentsOf(id)).toHaveLength(1);
  await db.execute(
    sql`update deployment_moments set at = at - interval '7 minutes' where deployment_id = ${id}`,
  );
  await recordMoments(db);
  expect((await momentsOf(id)).at(-1).counts).toEqual({ sent: 1 });
});

test('a deployment that is not there is not found', async () => {
  const answer = await webhook.api('GET', `/api/deployments/${crypto.randomUUID()}/moments`);
  expect([answer.status, answer.body.code]).toEqual([404, 'not_found']);
});

test('the fleet is written down once an hour, and forgotten after a month', async () => {
  const device = await webhook.device();
  await device.connect();
  await device.boot(sha256Of('trend'), [1, 0]);
  await db.execute(sql`delete from fleet_hours`);
  await db.execute(
    sql`insert into fleet_hours values (now() - interval '32 days', 1, 1, '{}'), (now() - interval '29 days', 7, 3, '{"1.0": 7}')`,
  );
  await recordHour(db);
  await recordHour(db);
  const rows = await db.execute(sql`select 1 from fleet_hours`);
  expect([...((rows as Json).rows ?? rows)]).toHaveLength(2);
  const { body } = await webhook.api('GET', '/api/trends');
  expect(body.hours[0]).toMatchObject({ total: 7, online: 3, versions: { '1.0': 7 } });
  expect(body.hours[1].online).toBeGreaterThanOrEqual(1);
  expect(Object.values(body.hours[1].versions)).not.toEqual([]);
  expect(Date.parse(body.to) - Date.parse(body.from)).toBe(30 * 86_400_000);
});

test('updates are counted by the day on which they were asked for', async () => {
  const today = new Date().toISOString().slice(0, 10);
  const { body } = await webhook.api('GET', '/api/trends');
  expect(body.updates.at(-1)).toMatchObject({ succeeded: 1 });
  expect(body.updates.map(({ day }: Json) => day)).toContain(today);
});
