import { sql } from 'drizzle-orm';
import { expect, it } from 'vitest';
import { query } from '#webhook/db/query.ts';
import { openDatabaseInMemory } from './kept-database.ts';

it('what is kept is one database, without the two that PostgreSQL would copy for others', async () => {
  const { db, close } = await openDatabaseInMemory();
  try {
    expect(await query(db, sql`select datname from pg_database`)).toEqual([{ datname: 'postgres' }]);
  } finally {
    await close();
  }
});
