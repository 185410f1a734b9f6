/** The database's clock: the one that all copies share, and against which due times are compared. */
import { sql } from 'drizzle-orm';
import { type Db, query } from './query.ts';

/** Of this moment, not of the transaction's start; whole ms since 1970. */
export async function readClock(db: Db): Promise<number> {
  const [row] = await query<{ now: number }>(
    db,
    sql`select (extract(epoch from clock_timestamp()) * 1000)::float8 as now`,
  );
  return Math.floor(Number(row!.now));
}

/** For SQL: ms since 1970 as a timestamp. */
export const at = (ms: number) => sql`to_timestamp(${ms / 1000}::float8)`;
