/**
 * A part of a name is found by trigrams, which PostgreSQL has in an extension (`pg_trgm`, trusted: the database's owner may create it).
 * PGlite, for a small fleet on one machine, reads every device instead; so does a server that refuses the extension.
 */
import { sql } from 'drizzle-orm';
import { type Db, query, sqlState } from './query.ts';

/** No such privilege; no such extension on that server. */
const refusals = ['42501', '0A000', '58P01'];

/** After migrations, by one copy at a time. */
export async function prepareSearch(db: Db): Promise<void> {
  const [index] = await query<{ there: boolean }>(
    db,
    sql`select to_regclass('devices_search') is not null as there`,
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
}

const literal = (text: string) => text.replace(/[\\%_]/g, '\\$&');
/** For `like`: the text anywhere, and the text at the beginning. */
export const containing = (text: string) => `%${literal(text)}%`;
export const startingWith = (text: string) => `${literal(text)}%`;
