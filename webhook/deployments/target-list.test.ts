import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { beforeAll, expect, test } from 'vitest';
import { Random } from '#deploy/lab/primitives/random.ts';
import { type Db, query } from '../db/query.ts';
import { everything, type Reach, reachOf } from '../devices/reach.ts';
import { startSuite } from '../testing-suite.ts';
import { byAttention, type TargetState } from './states.ts';
import { list } from './target-list.ts';

const { database, webhook } = await startSuite();
const { db } = database;
const [deployment, region] = [randomUUID(), randomUUID()];
const all: { id: string; state: TargetState; near: boolean }[] = [];

beforeAll(async () => {
  const device = await webhook.device();
  const { id: first } = await webhook.deploy((await webhook.firmware()).id, device);
  const random = new Random(31);
  const states = ['failed', 'succeeded', 'cancelled'] as const;
  for (let n = 0; n < 3_000; n++)
    all.push({ id: `target-${n}`, state: random.pick(states), near: random.chance(0.5) });
  const rows = JSON.stringify(all);
  await db.execute(sql`insert into regions (id, name) values (${region}, ${region})`);
  await db.execute(sql`
    insert into devices (id, name, hardware, region_id)
    select id, id, 'esp32-s3', case when near then ${region}::uuid end
    from jsonb_to_recordset(${rows}::jsonb) as v(id text, near boolean)`);
  // One made as always says what the other is like.
  await db.execute(sql`
    insert into deployments (id, firmware_id, state, selection, policy, memory, next_look_at, created_by, finished_at)
    select ${deployment}, firmware_id, 'completed', selection, policy, memory, null, 'test', now() from deployments where id = ${first}`);
  await db.execute(sql`
    insert into targets (deployment_id, device_id, component, state, total_bytes)
    select ${deployment}, id, 'main', state, 1 from jsonb_to_recordset(${rows}::jsonb) as v(id text, state text)`);
  await db.execute(sql`analyze devices`);
  await db.execute(sql`analyze targets`);
});

const reaches: [string, Reach][] = [
  ['of the whole fleet', everything],
  ['of a region', reachOf({ regions: [region], divisions: [] })],
];

test.each(reaches)('pages by offset and by cursor are those of the whole list, %s', async (_, reach) => {
  const within = all.filter(({ near }) => near || reach === everything);
  const random = new Random(37);
  for (const state of [undefined, 'failed', 'succeeded'] as const) {
    const rank = (of: TargetState) => byAttention.indexOf(of);
    const whole = within
      .filter((one) => state === undefined || one.state === state)
      .sort((a, b) => rank(a.state) - rank(b.state) || (a.id < b.id ? -1 : 1))
      .map(({ id }) => id);
    for (let round = 0; round < 8; round++) {
      const [limit, offset] = [random.int(1, 60), random.int(0, whole.length)];
      const page = await list(db, reach, deployment, { state, limit, offset });
      expect(page.items.map(({ device }) => device)).toEqual(whole.slice(offset, offset + limit));
      expect([page.total, page.next === null]).toEqual([whole.length, offset + limit >= whole.length]);
      if (page.next === null) continue;
      const behind = await list(db, reach, deployment, { state, limit, offset: 0, cursor: page.next });
      expect(behind.items.map(({ device }) => device)).toEqual(
        whole.slice(offset + limit, offset + 2 * limit),
      );
    }
  }
});

test('a page far down reads the devices that are on it, not those before', async () => {
  const read = async (tx: Db) => {
    const statistics = sql`
      select (seq_tup_read + idx_tup_fetch)::int as n from pg_stat_xact_user_tables where relname = 'devices'`;
    return (await query<{ n: number }>(tx, statistics))[0]!.n;
  };
  await db.transaction(async (tx) => {
    const before = await read(tx);
    const { items } = await list(tx, everything, deployment, { state: 'succeeded', limit: 10, offset: 800 });
    expect(items).toHaveLength(10);
    expect((await read(tx)) - before).toBeLessThan(100);
  });
});
