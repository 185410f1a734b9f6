/** What the planner is told for statements that are put together by somebody's question. */
import { sql } from 'drizzle-orm';
import type { Db } from './query.ts';

/**
 * Until the end of the transaction: planned for the values that are asked for and not for any, and for a disk of today, on which a row elsewhere costs
 * what the next one does.
 */
export async function planForValues(tx: Db): Promise<void> {
  await tx.execute(sql`
    select set_config('plan_cache_mode', 'force_custom_plan', true), set_config('random_page_cost', '1.1', true)`);
}
