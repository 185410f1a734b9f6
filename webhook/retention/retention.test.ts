import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { afterAll, describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { createPartitions, partitioned, preparePartitions } from '../db/partitions.ts';
import { query } from '../db/query.ts';
import { timelineOf } from '../deployments/target-list.ts';
import { forgetEpochs } from '../devices/presence.ts';
import { everything } from '../devices/reach.ts';
import { bucketsOf } from '../telemetry/measurements.ts';
import { openDatabase, startTestWebhook } from '../testing.ts';
import { defaultRetention, sweepOnce, turnDays } from './retention.ts';

const database = await openDatabase();
afterAll(() => database.close());
// A copy sweeps when it starts, and what the tests count may not be swept by it: it says when it is through with this.
await database.db.execute(
  sql`insert into device_logs (device_id, at, level, message) values ('gone', now() - interval '31 days', 'info', 'x')`,
);
let swept = () => {};
const firstSweep = new Promise<void>((resolve) => {
  swept = resolve;
});
const webhook = await startTestWebhook(database, {
  log: (_level, message) => message === 'old rows deleted' && swept(),
});
afterAll(() => webhook.close());
await firstSweep;

const insert = (device: string, deployment: string, days: number, rows = 1) => {
  const at = sql`now() - make_interval(days => ${days}::int)`;
  const many = sql`from generate_series(1, ${rows}::int)`;
  return Promise.all([
    database.db.execute(
      sql`insert into measured_hours (source, at, packed)
          select hashtext(${device}), ${at} - make_interval(secs => n), '{}'::jsonb ${many} n`,
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
    sql`select (select count(*)::int from measured_hours where source = hashtext(${device})) as telemetry,
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

test('of the epochs in which a device has counted its boots, the newest 16 stay and keep their order', async () => {
  const device = await webhook.device();
  const other = await webhook.device();
  const image = (n: number) => n.toString(16).padStart(64, '0');
  const boot = (n: number, count: number) => device.boot(image(n), [count, 0], 'power_on', `epoch-${n}`);
  for (let n = 1; n <= 40; n++) await boot(n, 1);
  await other.boot(image(1), [1, 0], 'power_on', 'its-only-one');
  expect(await Promise.all([forgetEpochs(database.db, 5), forgetEpochs(database.db, 5)])).toContain(5);
  while ((await sweepOnce(database.db, defaultRetention)) > 0);
  const kept = (id: string) =>
    query(
      database.db,
      sql`select count(*)::int as n, min(number) as first, max(number) as last from device_epochs where device_id = ${id}`,
    );
  expect(await kept(device.id)).toEqual([{ n: 16, first: 25, last: 40 }]);
  expect(await kept(other.id)).toEqual([{ n: 1, first: 1, last: 1 }]);
  const runs = async () => (await webhook.api('GET', `/api/devices/${device.id}`)).body.running[0].sha256;
  // Late, of one that is still known; then of one that is new.
  await boot(25, 900);
  expect(await runs()).toBe(image(40));
  await boot(41, 1);
  expect(await runs()).toBe(image(41));
});

test('targets of a deployment that ended long ago go, and its figures stay; one that runs keeps its own', async () => {
  const [old, present] = [await webhook.device(), await webhook.device()];
  const firmware = await webhook.firmware();
  const [ended, running] = [
    await webhook.deploy(firmware.id, old),
    await webhook.deploy(firmware.id, present),
  ];
  await webhook.api('POST', `/api/deployments/${ended.id}/cancel`);
  await until(
    'its end',
    async () => (await webhook.api('GET', `/api/deployments/${ended.id}`)).body.finishedAt,
  );
  const look = async ({ id }: { id: string }) => {
    const { body } = await webhook.api('GET', `/api/deployments/${id}`);
    const list = (await webhook.api('GET', `/api/deployments/${id}/targets?limit=10`)).body;
    return {
      counts: body.counts,
      total: body.total,
      gone: body.targetsForgottenAt !== null,
      listed: [list.items.length, list.total],
    };
  };
  const before = await look(ended);
  expect(before).toMatchObject({ total: 1, gone: false, listed: [1, 1] });
  await sweepOnce(database.db, defaultRetention);
  expect(await look(ended)).toEqual(before);
  await database.db.execute(
    sql`update deployments set finished_at = now() - interval '366 days' where id = ${ended.id}`,
  );
  await sweepOnce(database.db, defaultRetention);
  expect(await look(ended)).toEqual({ ...before, gone: true, listed: [0, 0] });
  expect(await look(running)).toMatchObject({ total: 1, gone: false, listed: [1, 1] });
  // What is deleted otherwise does leave the figures.
  await webhook.api('POST', `/api/deployments/${running.id}/cancel`);
  await until(
    'the end',
    async () => (await webhook.api('DELETE', `/api/devices/${present.id}`)).status === 204,
  );
  expect(await look(running)).toMatchObject({ total: 0 });
});

test('of certificates that ended long ago, the newest of each holder stays', async () => {
  const device = await webhook.device();
  const add = (serial: string, days: number) =>
    database.db.execute(sql`
      insert into certificates (serial, profile, common_name, certificate, chain, not_before, not_after)
      select ${`${device.id}-${serial}`}, 'device', ${device.id}, '', '', t, t from (select now() - make_interval(days => ${days}::int) as t) t`);
  await add('oldest', 300);
  await add('older', 200);
  await add('newest', 100);
  while ((await sweepOnce(database.db, defaultRetention)) > 0);
  const { items } = (await webhook.api('GET', `/api/certificates?commonName=${device.id}`)).body;
  expect(items.map(({ serial }: { serial: string }) => serial)).toEqual([`${device.id}-newest`]);
});

test('a copy sweeps when it starts', async () => expect((await left('gone'))?.logs).toBe(0));

describe('days', () => {
  const dayMs = 86_400_000;
  const days = async (table: string) =>
    (
      await query<{ name: string }>(
        database.db,
        sql`select inhrelid::regclass::text as name from pg_inherits where inhparent = to_regclass(${table}) order by 1`,
      )
    ).map(({ name }) => name.slice(table.length + 1));
  const label = (at: number) => new Date(at).toISOString().slice(0, 10).replaceAll('-', '');
  const where = async (device: string) =>
    (
      await query<{ name: string }>(
        database.db,
        sql`select tableoid::regclass::text as name from device_logs where device_id = ${device} order by at`,
      )
    ).map(({ name }) => name);
  const say = (device: string, at: number) =>
    database.db.execute(
      sql`insert into device_logs (device_id, at, level, message)
          values (${device}, ${new Date(at).toISOString()}::timestamptz, 'info', 'x')`,
    );

  test.each(partitioned)(
    '%s has a partition for today and the days around it, and one for the rest',
    async (table) => {
      const now = Date.now();
      // Weeks begin where 1970 did.
      const first = (at: number) => (table === 'received_messages' ? at - (at % (7 * dayMs)) : at);
      const hour = table === 'measurements' ? '18' : '';
      const around = [-1, 0, 1, 2].map((n) => label(first(now + n * dayMs)) + hour);
      expect(await days(table)).toEqual(expect.arrayContaining([...around, 'default']));
    },
  );

  test('a message of the week before is known again, and goes with its week', async () => {
    const device = await webhook.device();
    const id = randomUUID();
    const report = device.row('control/response', { id, seq: [1, 1], command: 'c', ok: true });
    expect((await webhook.event(report)).status).toBe(204);
    await database.db.execute(
      sql`update received_messages set received_at = now() - interval '20 days' where device_id = ${device.id}`,
    );
    const kept = () =>
      query(
        database.db,
        sql`select tableoid::regclass::text as name from received_messages where device_id = ${device.id}`,
      );
    expect(await kept()).toEqual([{ name: 'received_messages_default' }]);
    await createPartitions(database.db, Date.now() - 20 * dayMs);
    const [{ name } = {}] = await kept();
    expect(name).toMatch(/^received_messages_[0-9]{8}$/);
    expect((await webhook.event(report)).status).toBe(204);
    expect(await kept()).toHaveLength(1);
    await turnDays(database.db, defaultRetention, Date.now() + 20 * dayMs);
    expect(await kept()).toEqual([]);
  });

  test('what comes for a day without a partition is kept, and moves when the day gets one', async () => {
    const device = randomUUID();
    const at = Date.now() + 40 * dayMs;
    await say(device, at);
    expect(await where(device)).toEqual(['device_logs_default']);
    await Promise.all([createPartitions(database.db, at), createPartitions(database.db, at)]);
    await createPartitions(database.db, at);
    expect(await where(device)).toEqual([`device_logs_${label(at)}`]);
  });

  test('are dropped when the last of them is too old, and not before', async () => {
    const device = randomUUID();
    const at = Date.parse('2020-05-04T23:00:00Z');
    await createPartitions(database.db, at);
    await say(device, at);
    const turn = (now: string) => turnDays(database.db, defaultRetention, Date.parse(now));
    await turn('2020-06-03T23:59:00Z');
    expect(await where(device)).toEqual(['device_logs_20200504']);
    expect(await turn('2020-06-04T00:00:00Z')).toBeGreaterThan(0);
    expect([await where(device), (await days('device_logs')).includes('20200504')]).toEqual([[], false]);
    // Of what is kept for longer, the day is there yet.
    expect(await days('target_events')).toContain('20200504');
  });

  test('prepared again change nothing', async () => {
    const before = await days('device_logs');
    await preparePartitions(database.db);
    expect(await days('device_logs')).toEqual(before);
  });

  test('are all that charts, status and timelines read', async () => {
    const explain = async (statement: ReturnType<typeof sql>) =>
      JSON.stringify(await query(database.db, sql`explain ${statement}`));
    const now = new Date();
    await createPartitions(database.db, now.getTime() - 10 * dayMs);
    const hourAgo = new Date(now.getTime() - 3_600_000);
    const chart = {
      deviceId: 'x',
      topic: 'data/sensors',
      value: 'v',
      from: hourAgo,
      to: now,
      bucketMs: 60_000,
    } as const;
    const read = {
      measured_hours: [await explain(bucketsOf(chart))],
      target_events: [await explain(timelineOf(database.db, everything, randomUUID(), 'x', now).getSQL())],
    };
    for (const [table, plans] of Object.entries(read)) {
      for (const plan of plans) {
        expect(plan).toContain(`${table}_${label(now.getTime())}`);
        expect(plan).not.toContain(`${table}_${label(now.getTime() - 10 * dayMs)}`);
      }
    }
  });
});
