/** How many rows a list has in all, without reading all of them: nobody turns ten thousand. */
import { type SQL, sql } from 'drizzle-orm';
import type { PgTable } from 'drizzle-orm/pg-core';
import { type Db, query } from './query.ts';

export const countedBeyond = 10_000;

/** `more`: there are more than `total`. */
export interface Total {
  total: number;
  more?: true;
}

/** Counts on for ten thousand rows behind the page, so that whoever goes on finds more. */
export async function countUpTo(
  db: Db,
  table: PgTable,
  where: SQL | undefined,
  { offset }: { offset: number },
): Promise<Total> {
  const most = offset + countedBeyond;
  const condition = where ? sql`where ${where}` : sql``;
  const [row] = await query<{ n: number }>(
    db,
    sql`select count(*)::int as n from (select from ${table} ${condition} limit ${most + 1}) counted`,
  );
  return toTotal(row!.n, most);
}

/** Of `n` that were found, where `most` and one more were looked for. */
export const toTotal = (n: number, most: number): Total =>
  n > most ? { total: most, more: true } : { total: n };
