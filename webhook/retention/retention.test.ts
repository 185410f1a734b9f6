import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { query } from '../db/connect.ts';
import { openDatabase, startTestWebhook, type TestDatabase, type TestWebhook, until } from '../testing.ts';
import { defaultRetention, sweepOnce } from './retention.ts';

let database: TestDatabase;
let webhook: TestWebhook;
beforeAll(async () => {
  database = await openDatabase();
  webhook = await startTestWebhook(database);
});
afterAll(async () => {
  await webhook?.close();
  await database?.close();
});

const insert = (device: string, deployment: string, days: number, rows = 1) => {
  const at = sql`now() - make_interval(days => ${days}::int)`;
  const many = sql`from generate_series(1, ${rows}::int)`;
  return Promise.all([
    database.db.execute(
      sql`insert into telemetry (device_id, topic, at, body) select ${device}, 'data/sensors', ${at}, '{}'::jsonb ${many}`,
    ),
    database.db.execute(
      sql`insert into device_logs (device_id, at, level, message) select ${device}, ${at}, 'info', 'x' ${many}`,
    ),
    database.db.execute(
      sql`insert into dead_letters (received_at, code, detail, client_id, body) select ${at}, 'x', 'x', ${device}, 'x' ${many}`,
    ),
    database.db.execute(
      sql`insert into target_events (deployment_id, device_id, at, event, state)
          select ${deployment}::uuid, ${device}, ${at}, 'x', 'x' ${many}`,
    ),
  ]);
};
const left = async (device: string) => {
  const [row] = await query<Record<string, number>>(
    database.db,
    sql`select (select count(*)::int from telemetry where device_id = ${device}) as telemetry,
          (select count(*)::int from device_logs where device_id = ${device}) as logs,
          (select count(*)::int from dead_letters where client_id = ${device}) as letters,
          (select count(*)::int from target_events where device_id = ${device} and event = 'x') as events`,
  );
  return row;
};

test('what is older than its days goes, in batches and from several copies at once; the rest stays', async () => {
  const device = await webhook.device();
  const { id } = await webhook.deploy((await webhook.firmware()).id, device);
  await insert(device.id, id, 200, 6_000);
  await insert(device.id, id, 29);
  await insert(device.id, id, 31);
  const sweepAll = async () => {
    while ((await sweepOnce(database.db, defaultRetention)) > 0);
  };
  expect(await sweepOnce(database.db, defaultRetention)).toBe(20_000);
  await Promise.all([sweepAll(), sweepAll()]);
  await sweepAll();
  expect(await left(device.id)).toEqual({ telemetry: 1, logs: 1, letters: 1, events: 2 });
});

test('a copy sweeps when it starts', async () => {
  const id = randomUUID();
  await database.db.execute(
    sql`insert into device_logs (device_id, at, level, message) values (${id}, now() - interval '31 days', 'info', 'x')`,
  );
  const copy = await startTestWebhook(database);
  await until('the sweep', async () => (await left(id))?.logs === 0);
  await copy.close();
});
