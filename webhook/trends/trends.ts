/** How things went over time: a deployment, and the fleet over a month. */
import { asc, eq, sql } from 'drizzle-orm';
import { type Db, query, sqlList } from '../db/query.ts';
import { failedStates } from '../deployments/states.ts';
import { wasPatched } from '../deployments/table.ts';
import { talliesWithin } from '../deployments/tallies.ts';
import { get } from '../deployments/views.ts';
import type { Reach } from '../devices/reach.ts';
import { deploymentMoments } from './table.ts';

export const trendDays = 30;

export interface Moment {
  at: string;
  counts: Record<string, number>;
}
export interface Trends {
  from: string;
  to: string;
  /** Every hour that has been written down, and now; of the whole fleet only. */
  hours: { at: string; total: number; online: number; versions: Record<string, number> }[];
  /** Updates that have ended, by the day (UTC) on which their deployment was made; days without any are left out. */
  updates: { day: string; ended: number; succeeded: number }[];
  /** Updates that were offered a patch or a compressed image, by the day (UTC) on which their deployment was made; days without any are left out. */
  patches: PatchDay[];
}

/** `savedBytes`: of images, that did not go over the air. */
export type PatchDay = {
  day: string;
  /** Made out of it, and taken whole instead. */
  applied: number;
  fellBack: number;
  savedBytes: number;
};

/** Oldest first. Throws `not_found` for a deployment that is not there. */
export async function momentsOf(db: Db, reach: Reach, deploymentId: string): Promise<Moment[]> {
  // They count all of its devices.
  if ((await get(db, reach, deploymentId)).beyondReach) return [];
  const rows = await db
    .select({ at: deploymentMoments.at, counts: deploymentMoments.counts })
    .from(deploymentMoments)
    .where(eq(deploymentMoments.deploymentId, deploymentId))
    .orderBy(asc(deploymentMoments.at));
  return rows.map(({ at, counts }) => ({ at: at.toISOString(), counts }));
}

export async function readTrends(db: Db, reach: Reach): Promise<Trends> {
  const nowMs = Date.now();
  const fromMs = nowMs - trendDays * 86_400_000;
  const hours = await query<{
    atMs: number;
    total: number;
    online: number;
    versions: Record<string, number>;
  }>(
    db,
    sql`select extract(epoch from hour)::float8 * 1000 as "atMs", total, online, versions from fleet_hours
        where hour >= to_timestamp(${fromMs / 1000}) and ${reach.limits === null}::boolean order by hour`,
  );
  const updates = await query<Trends['updates'][number]>(
    db,
    sql`select to_char(d.created_at at time zone 'UTC', 'YYYY-MM-DD') as day, sum(n)::int as ended,
          coalesce(sum(n) filter (where t.state = 'succeeded'), 0)::int as succeeded
        from ${talliesWithin(reach)} t join deployments d on d.id = t.deployment_id
        where d.created_at >= to_timestamp(${fromMs / 1000}) and (t.state = 'succeeded' or t.state in ${sqlList(failedStates)})
        group by 1 having sum(n) > 0 order by 1`,
  );
  const patches = await query<PatchDay>(
    db,
    sql`select to_char(d.created_at at time zone 'UTC', 'YYYY-MM-DD') as day,
          count(*) filter (where t.stats->>'patch' = 'applied')::int as applied,
          count(*) filter (where t.stats->>'patch' <> 'applied')::int as "fellBack",
          coalesce(sum(greatest(t.total_bytes - (t.stats->>'receivedBytes')::bigint, 0)) filter (where t.stats->>'patch' = 'applied'), 0)::float8
            as "savedBytes"
        from targets t join deployments d on d.id = t.deployment_id
        where d.created_at >= to_timestamp(${fromMs / 1000}) and ${wasPatched} and ${reach.holds(sql`t.device_id`)}
        group by 1 order by 1`,
  );
  return {
    from: new Date(fromMs).toISOString(),
    to: new Date(nowMs).toISOString(),
    hours: hours.map(({ atMs, ...hour }) => ({ at: new Date(atMs).toISOString(), ...hour })),
    updates,
    patches,
  };
}
