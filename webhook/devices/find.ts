/** The few devices that somebody who types a word may mean, without reading the others. */
import { type SQL, sql } from 'drizzle-orm';
import { type Db, query } from '../db/query.ts';
import { beginsWith, contains } from '../db/search.ts';
import type { Reach } from './reach.ts';

export interface FoundDevice extends Record<string, unknown> {
  id: string;
  name: string;
  online: boolean;
}

/** A trigram index knows no shorter part. */
const shortest = 3;

/** Those whose id or name begins with it come before those that have it anywhere. */
export async function find(db: Db, reach: Reach, text: string, limit: number): Promise<FoundDevice[]> {
  return db.transaction(async (tx) => {
    const by = (column: SQL) => sql`
      (select id, name, online from devices where ${beginsWith(sql`lower(${column})`, sql`lower(${text}::text)`)} and ${reach.on()} order by lower(${column}) using ~<~ limit ${limit})`;
    const first = await query<FoundDevice>(
      tx,
      sql`select distinct id, name, online from (${by(sql`id`)} union all ${by(sql`name`)}) found order by id limit ${limit}`,
    );
    if (first.length === limit || text.length < shortest) return first;
    // Where nothing has it, or few, a planner that hopes for a quick end would read every device.
    await tx.execute(sql`set local enable_seqscan = off`);
    const more = await query<FoundDevice>(
      tx,
      sql`select id, name, online from devices where (${contains(sql`id`, text)} or ${contains(sql`name`, text)}) and ${reach.on()} limit ${limit * 2}`,
    );
    const known = new Set(first.map(({ id }) => id));
    return [...first, ...more.filter(({ id }) => !known.has(id))].slice(0, limit);
  });
}
