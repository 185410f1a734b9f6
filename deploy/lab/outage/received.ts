import { sql } from 'drizzle-orm';
import { query } from '#webhook/db/query.ts';
import type { Bench } from './bench.ts';

/** Critical messages of the devices of this bench that are stored. */
export async function countReceived({ database, fleet }: Pick<Bench, 'database' | 'fleet'>): Promise<number> {
  const ids = JSON.stringify(fleet.ids);
  const [row] = await query<{ n: number }>(
    database.db,
    sql`select count(*)::int as n from received_messages where device_id in (select jsonb_array_elements_text(${ids}::jsonb))`,
  );
  return row!.n;
}
