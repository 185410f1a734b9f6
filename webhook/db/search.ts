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
    sql`select to_regclass('certificates_containing') is not null as there`,
  );
  if (index!.there) return;
  try {
    await db.execute(sql`create extension if not exists pg_trgm`);
  } catch (error) {
    if (refusals.includes(sqlState(error) ?? '')) return;
    throw error;
  }
  // Of what no other condition asks for: an index on the column itself serves `id = …` too, and the planner took it, at ten milliseconds a device.
  const lowered = (column: string) => sql.raw(`lower(${column}) gin_trgm_ops`);
  await db.execute(
    sql`create index if not exists devices_containing on devices using gin (${lowered('id')}, ${lowered('name')})`,
  );
  await db.execute(
    sql`create index if not exists certificates_containing on certificates using gin (${lowered('common_name')})`,
  );
  // Of earlier versions.
  await db.execute(sql`drop index if exists devices_search, certificates_search`);
}

/** That the column has the text anywhere, whatever its case. */
export function contains(column: SQL | PgColumn, text: string): SQL {
  const pattern = `%${text.replace(/[\\%_]/g, '\\$&')}%`;
  return sql`lower(${column}) like lower(${pattern}::text)`;
}

/** By an index with text_pattern_ops, in a prepared statement too: of a pattern that is a parameter the planner knows no beginning. */
export function beginsWith(column: SQL | PgColumn, text: SQL): SQL {
  return sql`(${column} ~>=~ ${text} and ${column} ~<=~ (${text} || ${'\u{10ffff}'}::text))`;
}
