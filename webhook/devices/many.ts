/** What is done to many devices in one statement, in the caller's transaction. Each returns those with which it was not done. */
import { type SQL, sql } from 'drizzle-orm';
import { anyOf, type Db, query } from '../db/query.ts';
import { markJoinable } from '../deployments/store.ts';
import { maxTags } from './fields.ts';
import { lock } from './presence.ts';

export async function tagMany(
  tx: Db,
  ids: string[],
  { add, remove }: { add: string[]; remove: string[] },
): Promise<Map<string, 'not_found' | 'too_many_tags'>> {
  const texts = (values: string[]) =>
    sql`array(select value from jsonb_array_elements_text(${JSON.stringify(values)}::jsonb))`;
  await lock(tx, ids);
  const rows = await query<{ id: string; fits: boolean }>(
    tx,
    sql`with wanted as (
          select d.id, array(
            select t from unnest(d.tags || ${texts(add)}) with ordinality u(t, n)
            where t <> all(${texts(remove)}) group by t order by min(n)) as tags
          from devices d where d.id = any(${texts(ids)})),
        changed as (
          update devices d set tags = w.tags from wanted w
          where d.id = w.id and cardinality(w.tags) <= ${maxTags} returning d.id)
        select w.id, c.id is not null as fits from wanted w left join changed c on c.id = w.id`,
  );
  await markJoinable(tx);
  const full = rows.filter(({ fits }) => !fits).map(({ id }) => [id, 'too_many_tags'] as const);
  return new Map([...missing(ids, rows), ...full]);
}

/** Null: to no version any more. */
export function pinMany(tx: Db, ids: string[], version: string | null) {
  return setMany(tx, ids, sql`pinned = ${version}::text`);
}

export function followMany(tx: Db, ids: string[], channel: string) {
  return setMany(tx, ids, sql`channel = ${channel}`);
}

/** Null: out of their region. A region that is not there is a foreign key's violation. */
export function moveMany(tx: Db, ids: string[], region: string | null) {
  return setMany(tx, ids, sql`region_id = ${region}::uuid`);
}

async function setMany(tx: Db, ids: string[], what: SQL): Promise<Map<string, 'not_found'>> {
  await lock(tx, ids);
  const rows = await query<{ id: string }>(
    tx,
    sql`update devices set ${what}
        where id ${anyOf(ids)} returning id`,
  );
  await markJoinable(tx);
  return new Map(missing(ids, rows));
}

/** Those of the ids that were not found. */
export function missing(ids: string[], found: { id: string }[]): [string, 'not_found'][] {
  const known = new Set(found.map(({ id }) => id));
  return ids.filter((id) => !known.has(id)).map((id) => [id, 'not_found']);
}
