/** Facts on their way to the rules: written here by the features in which they arise. */
import { sql } from 'drizzle-orm';
import type { Db } from '../db/query.ts';
import type { Fact } from './kinds.ts';

/**
 * Pass the transaction of the fact itself, so that neither is ever there without the other. A key that is known is left out. In the
 * order of their keys, and last of what others may wait for: two transactions with the same facts then never wait in a circle.
 */
export async function tell(tx: Db, facts: Fact[]): Promise<void> {
  if (facts.length === 0) return;
  await tx.execute(sql`
    insert into notification_events (key, kind, severity, region_ids, data)
    select key, kind, severity, "regionIds", data
    from jsonb_to_recordset(${JSON.stringify(facts)}::jsonb)
      as v(key text, kind text, severity text, "regionIds" jsonb, data jsonb)
    order by key on conflict (key) do nothing`);
}
