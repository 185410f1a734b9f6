import { sql } from 'drizzle-orm';
import { afterAll, expect, test } from 'vitest';
import { openDatabase } from '../testing.ts';
import { lookAgain } from './planning.ts';
import { type Db, query } from './query.ts';

const database = await openDatabase();
afterAll(() => database.close());
const { db } = database;

/** Rows that the server plans for; -1 before it has looked. */
const plannedFor = async (tx: Db, table: string) =>
  (
    await query<{ n: number }>(
      tx,
      sql`select reltuples::int as n from pg_class where oid = ${table}::regclass`,
    )
  )[0]!.n;

test('after many new rows the server plans for them at once, and few are left to it', async () => {
  await db.transaction(async (tx) => {
    await tx.execute(sql`
      insert into devices (id, name, hardware) select 'planned-' || n, 'Planned', 'esp32-s3' from generate_series(1, 200) n`);
    await lookAgain(tx, ['devices'], 200);
    expect(await plannedFor(tx, 'devices')).toBeGreaterThanOrEqual(200);
    await lookAgain(tx, ['targets'], 10);
    expect(await plannedFor(tx, 'targets')).toBe(-1);
  });
  // What others have added counts, too.
  await lookAgain(db, ['components', 'devices']);
  expect(await plannedFor(db, 'components')).toBe(-1);
});
