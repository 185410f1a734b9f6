import { sql } from 'drizzle-orm';
import { afterAll, expect, test } from 'vitest';
import { Random } from '#deploy/lab/primitives/random.ts';
import { type Db, query } from '../db/query.ts';
import { startSuite } from '../testing-suite.ts';
import { everything } from './reach.ts';
import { countFleet, countTallied, gatherFleetTallies } from './tallies.ts';

const { database, webhook } = await startSuite();
const other = await database.another();
afterAll(() => other.close());

const places = async (db: Db) => {
  const rows = await query<{ regions: string[]; divisions: string[] }>(
    db,
    sql`select (select array_agg(id::text order by name) from regions) as regions,
          (select array_agg(id::text order by name) from divisions) as divisions`,
  );
  return rows[0]!;
};
const tallied = (db: Db) =>
  query(
    db,
    sql`select region_id, division_id, hardware, online, seen, health, sum(n)::int as n from device_tallies
        group by 1, 2, 3, 4, 5, 6 having sum(n) <> 0 order by 1, 2, 3, 4, 5, 6`,
  );
const counted = (db: Db) =>
  query(
    db,
    sql`select region_id, division_id, hardware, online, last_seen_at is not null as seen, health->>'state' as health, count(*)::int as n
        from devices group by 1, 2, 3, 4, 5, 6 order by 1, 2, 3, 4, 5, 6`,
  );
const talliedComponents = (db: Db) =>
  query(
    db,
    sql`select region_id, division_id, component, version, sha256, sum(n)::int as n from component_tallies
        group by 1, 2, 3, 4, 5 having sum(n) <> 0 order by 1, 2, 3, 4, 5`,
  );
const countedComponents = (db: Db) =>
  query(
    db,
    sql`select region_id, division_id, component, version, sha256, count(*)::int as n
        from components join devices on id = device_id group by 1, 2, 3, 4, 5
        union all
        select region_id, division_id, null, null, null, count(*)::int from devices d
        where exists (select from components where device_id = d.id) group by 1, 2
        order by 1, 2, 3, 4, 5`,
  );

test('say what a count would say, however devices and what they run are written, moved, gathered and deleted', async () => {
  const { db } = database;
  await db.execute(sql`insert into regions (name) values ('one'), ('two')`);
  await db.execute(sql`insert into divisions (name) values ('red'), ('blue')`);
  const { regions, divisions } = await places(db);
  const random = new Random(21);
  const pick = <T>(of: readonly T[]): T => of[random.int(0, of.length - 1)]!;
  const some = () =>
    sql`id in (select id from devices where id like 'd-%' and mod(hashtext(id || ${String(random.int(0, 1e9))}), 4) = 0 order by id for no key update)`;
  const ofSome = () =>
    sql`device_id in (select id from devices where id like 'd-%' and mod(hashtext(id || ${String(random.int(0, 1e9))}), 4) = 0)`;
  let made = 0;
  const acts: ((tx: Db) => Promise<unknown>)[] = [
    (tx) => {
      made += 20;
      return tx.execute(sql`
        insert into devices (id, name, hardware, region_id, division_id)
        select 'd-' || n, 'x', ${pick(['esp32', 'uno'])}, ${pick([null, ...regions])}::uuid, ${pick([null, ...divisions])}::uuid
        from generate_series(${made - 19}::int, ${made}::int) n`);
    },
    (tx) =>
      tx.execute(
        sql`update devices set online = ${pick([true, false])}, last_seen_at = now() where ${some()}`,
      ),
    (tx) =>
      tx.execute(
        sql`update devices set health = ${pick([null, '{"state": "failing"}', '{"state": "ok"}'])}::jsonb where ${some()}`,
      ),
    (tx) =>
      tx.execute(
        sql`update devices set region_id = ${pick([null, ...regions])}::uuid, division_id = ${pick([null, ...divisions])}::uuid where ${some()}`,
      ),
    // As many the one way as the other, so that only what they run has moved.
    (tx) =>
      tx.execute(
        sql`update devices set region_id = case region_id when ${regions[0]!}::uuid then ${regions[1]!}::uuid else ${regions[0]!}::uuid end
            where region_id is not null and id like 'd-%'`,
      ),
    (tx) => tx.execute(sql`delete from devices where ${some()} and mod(hashtext(id), 3) = 0`),
    (tx) =>
      tx.execute(sql`
        insert into components (device_id, component, version, sha256, security_version, boot_seq, seq_number, reported_at)
        select id, ${pick(['main', 'uno'])}, ${pick(['1', '2'])}, 'a', 0, 1, 1, now() from devices where ${some()}
        on conflict (device_id, component) do update set version = excluded.version`),
    (tx) => tx.execute(sql`update components set sha256 = ${pick(['a', 'b'])} where ${ofSome()}`),
    (tx) =>
      tx.execute(sql`delete from components where component = ${pick(['main', 'uno'])} and ${ofSome()}`),
  ];
  for (const act of acts) await act(db);
  for (let n = 0; n < 60; n++) {
    await pick(acts)(db);
    if (n % 20 !== 19) continue;
    await Promise.all([gatherFleetTallies(db), gatherFleetTallies(other.db)]);
    expect(await tallied(db)).toEqual(await counted(db));
    expect(await talliedComponents(db)).toEqual(await countedComponents(db));
  }
  const [rows] = await query<{ n: number; kinds: number }>(
    db,
    sql`select count(*)::int as n, count(distinct (region_id, division_id, hardware, online, seen, health))::int as kinds from device_tallies`,
  );
  expect(rows!.n).toBeLessThanOrEqual(4 * rows!.kinds);
  const { total, online, sleeping, neverSeen } = await countFleet(db, everything);
  expect(online + sleeping + neverSeen).toBe(total);
  expect(await countTallied(db, everything, {})).toBe(total);
});

test('a list tells how many match: exactly by what tallies know, else to ten thousand behind the page', async () => {
  const { db } = database;
  await db.execute(sql`
    insert into devices (id, name, hardware, tags)
    select 'many-' || n, 'x', 'many', array['many'] from generate_series(1, 10003) n`);
  const page = async (query: string) => (await webhook.api('GET', `/api/devices?limit=1&${query}`)).body;
  expect(await page('hardware=many')).toMatchObject({ total: 10_003 });
  expect((await page('hardware=many')).more).toBeUndefined();
  expect(await page('hardware=many&online=true')).toMatchObject({ items: [], total: 0 });
  expect(await page('tag=many')).toMatchObject({ total: 10_000, more: true });
  expect(await page('tag=many&count=exact')).toMatchObject({ total: 10_003 });
  expect((await webhook.api('GET', '/api/devices?limit=1&count=some')).status).toBe(400);
  expect(await page('tag=many&offset=2')).toMatchObject({ total: 10_002, more: true });
  const last = await page('tag=many&offset=10002');
  expect([last.items.length, last.total, last.more]).toEqual([1, 10_003, undefined]);
});
