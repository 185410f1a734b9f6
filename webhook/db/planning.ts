/** What the planner is told for statements that are put together by somebody's question. */
import { sql } from 'drizzle-orm';
import { type Db, query } from './query.ts';

/**
 * Until the end of the transaction: planned for the values that are asked for and not for any, and for a disk of today, on which a row elsewhere costs
 * what the next one does.
 */
export async function planForValues(tx: Db): Promise<void> {
  await tx.execute(sql`
    select set_config('plan_cache_mode', 'force_custom_plan', true), set_config('random_page_cost', '1.1', true)`);
}

/**
 * At the end of an `exists (…)`: it is looked up for each row by itself, not joined. A rollout moves faster than what the planner knows of it: told that no
 * target is under way it compared every one that waits with every one that has started by now.
 */
export const eachByItself = sql.raw('offset 0');

/** From so many new rows on a table is another one than the server planned for. */
const many = 50;

/**
 * Has the server look at what has come to these tables: after many rows at once it would plan for the table as it was, for up to a minute and in
 * plans that are kept. One that another transaction looks at is left to it. `added`: by this transaction, to each; what others have added counts too.
 */
export async function lookAgain(
  tx: Db,
  tables: ('devices' | 'components' | 'targets')[],
  added = 0,
): Promise<void> {
  const changed = await query<{ name: string }>(
    tx,
    sql`select c.relname as name from pg_class c left join pg_stat_user_tables s on s.relid = c.oid
        where c.oid in (${sql.join(
          tables.map((name) => sql`${name}::regclass`),
          sql`, `,
        )})
          and coalesce(s.n_mod_since_analyze, 0) + ${added}::int > ${many}::int + greatest(c.reltuples, 0) / 10
        order by name`,
  );
  for (const { name } of changed) await tx.execute(sql`analyze (skip_locked) ${sql.identifier(name)}`);
}
