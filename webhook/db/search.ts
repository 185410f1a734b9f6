/**
 * A part of a name is found by trigrams, which PostgreSQL has in an extension (`pg_trgm`, trusted: the database's owner may create it).
 * PGlite, for a small fleet on one machine, reads every device instead; so does a server that refuses the extension.
 */
import { type SQL, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { type Db, query, sqlState } from './query.ts';

/** No such privilege; no such extension on that server. */
const refusals = ['42501', '0A000', '58P01'];

/** After migrations, by one copy at a time. */
export async function prepareSearch(db: Db): Promise<void> {
  const [index] = await query<{ there: boolean }>(
    db,
    sql`select to_regclass('certificates_search') is not null as there`,
  );
  if (index!.there) return;
  try {
    await db.execute(sql`create extension if not exists pg_trgm`);
  } catch (error) {
    if (refusals.includes(sqlState(error) ?? '')) return;
    throw error;
  }
  await db.execute(
    sql`create index if not exists devices_search on devices using gin (id gin_trgm_ops, name gin_trgm_ops)`,
  );
  await db.execute(
    sql`create index if not exists certificates_search on certificates using gin (common_name gin_trgm_ops)`,
  );
}

/** For `ilike`: the text anywhere. */
export const containing = (text: string) => `%${text.replace(/[\\%_]/g, '\\$&')}%`;

/** By an index with text_pattern_ops, in a prepared statement too: of a pattern that is a parameter the planner knows no beginning. */
export function beginsWith(column: SQL | PgColumn, text: SQL): SQL {
  return sql`(${column} ~>=~ ${text} and ${column} ~<=~ (${text} || ${'\u{10ffff}'}::text))`;
}
