/**
 * The fleet's figures without counting it: `device_tallies` and `component_tallies` follow their tables by triggers. Both are by region and
 * division, so that whoever may see only some of them has sums of these; of a reach by a query, the devices within it are counted.
 */
import { type SQL, sql } from 'drizzle-orm';
import { type Db, query } from '../db/query.ts';
import type { Reach } from './reach.ts';

/** `sleeping`: seen before, and offline now. */
export type FleetCounts = {
  total: number;
  online: number;
  sleeping: number;
  neverSeen: number;
  failing: number;
  degraded: number;
  /** Of which it is not known what they run. */
  unreported: number;
};

/** Rows as `device_tallies` has them, to be summed, of the devices within. What is counted is by the words of the triggers (migration `0019`). */
export function deviceTalliesWithin({ on, onPlace }: Reach): SQL {
  if (onPlace) return sql`(select * from device_tallies t where ${onPlace('t')})`;
  return sql`(
    select region_id, division_id, hardware, online, last_seen_at is not null as seen, health->>'state' as health, 1 as n
    from devices where ${on()})`;
}

/** And as `component_tallies` has them. */
function componentTalliesWithin({ on, onPlace }: Reach): SQL {
  if (onPlace) return sql`(select * from component_tallies t where ${onPlace('t')})`;
  return sql`(
    select d.region_id, d.division_id, c.component, c.version, c.sha256, 1 as n
    from devices d join components c on c.device_id = d.id where ${on('d')}
    union all
    select d.region_id, d.division_id, null, null, null, 1
    from devices d where ${on('d')} and exists (select from components c where c.device_id = d.id))`;
}

/** Whether `countTallied` costs next to nothing. */
export const isTallied = ({ onPlace }: Reach): boolean => onPlace !== null;

const sumWhere = (condition: SQL) => sql`coalesce(sum(n) filter (where ${condition}), 0)::int`;

export async function countFleet(db: Db, reach: Reach): Promise<FleetCounts> {
  const [row] = await query<FleetCounts>(
    db,
    sql`select coalesce(sum(n), 0)::int as total, ${sumWhere(sql`online`)} as online,
          ${sumWhere(sql`not online and seen`)} as sleeping, ${sumWhere(sql`not online and not seen`)} as "neverSeen",
          ${sumWhere(sql`health = 'failing'`)} as failing, ${sumWhere(sql`health = 'degraded'`)} as degraded,
          (coalesce(sum(n), 0) - (select coalesce(sum(n), 0) from ${componentTalliesWithin(reach)} c
            where component is null))::int as unreported
        from ${deviceTalliesWithin(reach)} t`,
  );
  return row!;
}

/** What tallies tell devices apart by. */
export interface TalliedFilter {
  region?: string | undefined;
  division?: string | undefined;
  hardware?: string | undefined;
  online?: boolean | undefined;
}

export async function countTallied(db: Db, reach: Reach, filter: TalliedFilter): Promise<number> {
  const conditions = [
    filter.region && sql`region_id = ${filter.region}::uuid`,
    filter.division && sql`division_id = ${filter.division}::uuid`,
    filter.hardware && sql`hardware = ${filter.hardware}`,
    filter.online !== undefined && sql`online = ${filter.online}`,
  ].filter((condition) => typeof condition === 'object');
  const where = conditions.length > 0 ? sql`where ${sql.join(conditions, sql` and `)}` : sql``;
  const [row] = await query<{ n: number }>(
    db,
    sql`select coalesce(sum(n), 0)::int as n from ${deviceTalliesWithin(reach)} t ${where}`,
  );
  return row!.n;
}

/** How many components run each image: sums of `n`, by `component`, `version` and `sha256`. */
export const runningCounts = (reach: Reach): SQL => sql`
  select component, version, sha256, sum(n)::int as devices from ${componentTalliesWithin(reach)} t
  where component is not null group by component, version, sha256 having sum(n) <> 0`;

/** How many devices run this image, by their last attested report. */
export async function countRunning(db: Db, reach: Reach, component: string, sha256: string): Promise<number> {
  const [row] = await query<{ n: number }>(
    db,
    sql`select coalesce(sum(n), 0)::int as n from ${componentTalliesWithin(reach)} t
        where component = ${component} and sha256 = ${sha256}`,
  );
  return row!.n;
}

/** What hardware there is, by name. */
export async function listHardware(db: Db, reach: Reach): Promise<{ hardware: string; devices: number }[]> {
  return query(
    db,
    sql`select hardware, sum(n)::int as devices from ${deviceTalliesWithin(reach)} t
        group by hardware having sum(n) > 0 order by hardware`,
  );
}

/** Rows of one kind that may lie beside each other, on average, before they become one. */
const gatherFrom = 4;

/** Safe in any number of copies: a row is summed by whoever has deleted it. */
export async function gatherFleetTallies(db: Db): Promise<void> {
  await gather(db, 'device_tallies', 'region_id, division_id, hardware, online, seen, health');
  await gather(db, 'component_tallies', 'region_id, division_id, component, version, sha256');
}

async function gather(db: Db, name: string, columns: string): Promise<void> {
  const [table, kind] = [sql.identifier(name), sql.raw(columns)];
  const [found] = await query<{ many: boolean }>(
    db,
    sql`select count(*) > ${gatherFrom}::int * count(distinct (${kind})) as many from ${table}`,
  );
  if (!found!.many) return;
  await db.execute(sql`
    with gone as (
      delete from ${table} where ctid = any(array(select ctid from ${table} for update skip locked)) returning *)
    insert into ${table} (${kind}, n) select ${kind}, sum(n) from gone group by ${kind} having sum(n) <> 0`);
}
