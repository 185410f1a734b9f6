import { sql } from 'drizzle-orm';
import { type Db, query } from './query.ts';

/**
 * PostgreSQL's advisory locks of this product, one for each kind of work: two that had the same number kept each other from it. A number
 * stays what it is, because copies of two versions lock each other out during an upgrade.
 */
export const locks = {
  migration: 4_717_241,
  auditChain: 4_717_242,
  partitions: 4_717_243,
  losses: 4_717_244,
  ruling: 4_717_246,
} as const;

/** Until the end of the transaction; false: another copy has it. */
export async function tryLock(tx: Db, lock: number): Promise<boolean> {
  const [row] = await query<{ mine: boolean }>(tx, sql`select pg_try_advisory_xact_lock(${lock}) as mine`);
  return row!.mine;
}
