import { sql } from 'drizzle-orm';
import { afterAll, expect, test } from 'vitest';
import { openDatabase } from '../testing.ts';
import { query, sqlState, together } from './query.ts';

const database = await openDatabase();
afterAll(() => database.close());
const { db } = database;

// PGlite runs in this process: there is no way to save.
if (database.kind === 'postgresql') {
  test('a statement that comes again is prepared, in transactions too, and one that does not is not', async () => {
    await db.transaction(async (tx) => {
      for (let i = 0; i < 12; i++) await query(tx, sql`select ${i}::int + 1 as often`);
      await query(tx, sql`select ${1}::int + 1 as seldom`);
      const rows = await query<{ statement: string }>(
        tx,
        sql`select statement from pg_prepared_statements where statement like 'select $1::int + 1%'`,
      );
      expect(rows.map((r) => r.statement)).toEqual(['select $1::int + 1 as often']);
    });
  });

  test('however many texts come, so many are prepared and no more', async () => {
    await db.transaction(async (tx) => {
      for (let n = 1; n <= 230; n++)
        for (let i = 0; i < 10; i++) await query(tx, sql`select ${i}::int + ${sql.raw(String(n))} as many`);
      const [row] = await query<{ n: number }>(
        tx,
        sql`select count(*)::int as n from pg_prepared_statements where statement like 'select $1%'`,
      );
      expect(row!.n).toBeGreaterThan(150);
      expect(row!.n).toBeLessThanOrEqual(200);
    });
  });
}

test('of statements that are sent together the fault is that of the one that failed', async () => {
  await db.execute(sql`create table together (n int)`);
  await db.execute(sql`insert into together values (1)`);
  const failing = db.transaction((tx) =>
    together(
      query(tx, sql`update together set n = 2`),
      query(tx, sql`select n / 0 from together`),
      query(tx, sql`select n from together`),
    ),
  );
  expect(sqlState(await failing.catch((error: unknown) => error))).toBe('22012');
  expect(await query(db, sql`select n from together`)).toEqual([{ n: 1 }]);
});

test('a table that a newer copy’s migration has changed is read as it is now', async () => {
  await db.execute(sql`create table grown (id int)`);
  await db.execute(sql`insert into grown values (1)`);
  const read = () => query(db, sql`select * from grown where id = ${1}`);
  for (let i = 0; i < 40; i++) await read();
  await db.execute(sql`alter table grown add column more text default 'x'`);
  for (let i = 0; i < 10; i++) expect(await read()).toEqual([{ id: 1, more: 'x' }]);
});
