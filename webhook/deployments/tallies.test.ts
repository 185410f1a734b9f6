import { randomUUID } from 'node:crypto';
import { eq, sql } from 'drizzle-orm';
import { afterAll, expect, test } from 'vitest';
import { type Db, query } from '../db/query.ts';
import { everything, reachOf } from '../devices/reach.ts';
import { startSuite } from '../testing-suite.ts';
import { targetStates } from './states.ts';
import { deployments, targets, targetTallies } from './table.ts';
import { gatherTallies, readTallies } from './tallies.ts';

const { database, webhook } = await startSuite();
const other = await database.another();
const { id: region } = (await webhook.api('POST', '/api/regions', { name: 'All of them' })).body;
const reach = reachOf({ regions: [region], divisions: [] });
afterAll(() => other.close());

/** A deployment that no dispatcher looks at, with targets in three waves. */
async function create(devices: number): Promise<string> {
  const { id } = await webhook.firmware();
  const [row] = await database.db
    .insert(deployments)
    .values({
      firmwareId: id,
      state: 'paused',
      selection: { all: false, regions: [], divisions: [], devices: [] },
      policy: {} as never,
      memory: { halted: null } as never,
      nextLookAt: null,
      createdBy: 'test',
    })
    .returning({ id: deployments.id });
  await database.db.execute(sql`
    insert into devices (id, name, hardware, region_id)
    select ${row!.id} || '-' || n, 'x', 'esp32-s3', ${region}::uuid from generate_series(1, ${devices}::int) n`);
  await database.db.execute(sql`
    insert into targets (deployment_id, device_id, component, wave, state, total_bytes)
    select ${row!.id}::uuid, id, 'main', (row_number() over ()) % 3 - 1, 'pending', 1000
    from devices where id like ${`${row!.id}-%`}`);
  return row!.id;
}

/** What the tallies must say, by counting. */
async function count(db: Db, id: string) {
  return query(
    db,
    sql`select deployment_id as id, wave, state, count(*)::int as n,
          (count(*) filter (where state = 'timed_out'
            or (state = 'pending' and error_code = 'timed_out' and attempt > attempts_forgiven)))::int as silent,
          (count(stats->>'downloadMs'))::int as timed, coalesce(sum((stats->>'downloadMs')::float8), 0)::float8 as "downloadMs",
          (count(*) filter (where (stats->>'resumes')::int > 0))::int as resumed
        from targets where deployment_id = ${id} group by 1, 2, 3 order by wave, state`,
  );
}

async function read(db: Db, id: string, within = everything) {
  const rows = await readTallies(db, within, [id]);
  return rows.sort((a, b) => a.wave - b.wave || (a.state < b.state ? -1 : 1));
}

/** Some of its targets go anywhere, as no machine would have them: the tallies must follow whoever writes. */
async function shuffle(db: Db, id: string, n: number, devices = /./): Promise<void> {
  const pick = (of: readonly unknown[]) => of[Math.floor(Math.random() * of.length)];
  const state = pick(targetStates.filter((s) => !/sent|accepted|downloading|installing|cancelling/.test(s)));
  const stats = pick([null, { downloadMs: n, resumes: n % 3 }, { downloadMs: n }, {}]);
  await db.execute(sql`
    update targets set state = ${state}, wave = case when random() < 0.1 then 1 else wave end, attempt = ${n % 4}::int,
      attempts_forgiven = ${n % 2}::int, error_code = ${pick([null, 'timed_out', 'sha256_mismatch'])},
      stats = ${stats && JSON.stringify(stats)}::jsonb, received_bytes = ${pick([0, 500, 1000])}::int
    where deployment_id = ${id} and device_id ~ ${devices.source} and random() < 0.2`);
}

test('say what a count would say, however targets are written, gathered and deleted', async () => {
  const id = await create(300);
  expect(await read(database.db, id)).toEqual(await count(database.db, id));
  for (let n = 0; n < 60; n++) {
    await shuffle(database.db, id, n);
    if (n % 20 === 19) await database.db.transaction((tx) => gatherTallies(tx, id));
    if (n % 15 === 14) {
      await database.db.execute(
        sql`delete from devices where id in (select device_id from targets where deployment_id = ${id} limit 3)`,
      );
    }
    expect(await read(database.db, id)).toEqual(await count(database.db, id));
    expect(await read(database.db, id, reach)).toEqual(await count(database.db, id));
  }
  expect(await database.db.$count(targets, eq(targets.deploymentId, id))).toBe(300 - 4 * 3);
});

test('of two writers and one who gathers at once, none waits for another and nothing is lost', async () => {
  const id = await create(200);
  let writing = true;
  const gather = async () => {
    while (writing) await database.db.transaction((tx) => gatherTallies(tx, id));
  };
  const write = async (db: Db, devices: RegExp) => {
    for (let n = 0; n < 60; n++) await shuffle(db, id, n, devices);
  };
  const gathering = gather();
  // Each has its own targets: for the same ones they would wait for each other anyway.
  await Promise.all([write(database.db, /[0-4]$/), write(other.db, /[5-9]$/)]);
  writing = false;
  await gathering;
  expect(await read(database.db, id)).toEqual(await count(database.db, id));
});

test('what has been gathered takes one row for each wave and state', async () => {
  const id = await create(30);
  for (let n = 0; n < 100; n++) await shuffle(database.db, id, n);
  await database.db.transaction((tx) => gatherTallies(tx, id));
  const rows = await database.db.$count(targetTallies, eq(targetTallies.deploymentId, id));
  expect(rows).toBe((await read(database.db, id)).length);
});

test('nothing is counted for a deployment without targets', async () => {
  expect(await readTallies(database.db, everything, [randomUUID()])).toEqual([]);
});
