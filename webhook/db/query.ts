/** What operations run their statements on, and what a failed statement means. */
import { type SQL, sql } from 'drizzle-orm';
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';
import type * as schema from './schema.ts';

/** The client or a transaction of it: operations take either. */
export type Db = PgDatabase<PgQueryResultHKT, typeof schema>;

/** The rows of a raw query, alike from both drivers. */
export async function query<Row extends Record<string, unknown>>(
  db: Db,
  statement: ReturnType<typeof sql>,
): Promise<Row[]> {
  const result: unknown = await db.execute(statement);
  return (Array.isArray(result) ? result : (result as { rows: unknown[] }).rows) as Row[];
}

/**
 * Work of one transaction that needs neither each other's rows nor an order: its statements are sent at once. The fault is that of the one
 * which failed; those behind it only say that the transaction has.
 */
export async function together<T extends readonly unknown[]>(
  ...work: { [K in keyof T]: Promise<T[K]> }
): Promise<T> {
  const settled = await Promise.allSettled(work);
  const faults = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  if (faults.length > 0) throw faults.find((fault) => sqlState(fault) !== transactionAborted) ?? faults[0];
  return settled.map((one) => (one as PromiseFulfilledResult<unknown>).value) as unknown as T;
}

const transactionAborted = '25P02';

/** SQLSTATE of a failed query, wherever the driver and Drizzle have put it. */
export function sqlState(error: unknown): string | undefined {
  for (let e = error; e instanceof Error; e = e.cause) {
    const code = (e as { code?: unknown }).code;
    if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) return code;
  }
  return undefined;
}

export const uniqueViolation = '23505';
export const foreignKeyViolation = '23503';

/**
 * Faults of the data itself (classes 22 and 23; 54, what is beyond a limit; or values that no driver can write): trying the same again
 * cannot help.
 */
export function isPermanent(error: unknown): boolean {
  const state = sqlState(error);
  if (state) return /^(2[23]|54)/.test(state);
  for (let e = error; e instanceof Error; e = e.cause) {
    if (e instanceof TypeError || e instanceof RangeError || e instanceof SyntaxError) return true;
  }
  return false;
}

/** A value that its type does not know (class 22), whatever is wrong with it. */
export function isUnreadable(error: unknown): boolean {
  return sqlState(error)?.startsWith('22') === true;
}

/** Two transactions stood in each other's way: the same again at once may work. */
export function isCollision(error: unknown): boolean {
  return ['40001', '40P01'].includes(sqlState(error) ?? '');
}

/** A value of the caller that its type cannot hold: U+0000 in a text, a year before the calendar, a number too large. */
export function isUnstorable(error: unknown): boolean {
  return ['22021', '22P05', '22003', '22007', '22008', '22P02'].includes(sqlState(error) ?? '');
}

/** The database is away, starting, stopping or full up, as opposed to refusing a statement. */
export function isUnavailable(error: unknown): boolean {
  if (/^(08|53|57P)/.test(sqlState(error) ?? '')) return true;
  for (let e = error; e instanceof Error; e = e.cause) {
    const code = String((e as { code?: unknown }).code);
    if (/^(CONNECTION_|CONNECT_TIMEOUT$|ECONNREFUSED$|ECONNRESET$|ENOTFOUND$|EPIPE$)/.test(code)) return true;
  }
  return false;
}

/** What makes of `id` the condition `id in (…)`: one parameter however many they are, so that the statement stays the same and can be prepared. */
export function anyOf(values: Iterable<string | number>, type: 'text' | 'uuid' | 'bigint' = 'text'): SQL {
  const json = JSON.stringify([...values]);
  return sql`in (select value::${sql.raw(type)} from jsonb_array_elements_text(${json}::jsonb))`;
}

/** `('a', 'b')`, for `state in …`: as literals, or the partial indexes on states would not be used. Of our own words only. */
export function sqlList(words: readonly string[]): SQL {
  return sql.raw(`(${words.map((word) => `'${word}'`).join(', ')})`);
}
