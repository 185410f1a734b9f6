/** Which targets a rollout starts by now, and which it gives up because a newer deployment has overtaken them. */
import { type SQL, sql } from 'drizzle-orm';
import { eachByItself } from '../db/planning.ts';
import { type Db, query, sqlList } from '../db/query.ts';
import { listTimeZones } from '../devices/places.ts';
import { defaultTimeZone } from '../devices/time-zone.ts';
import { frozenUntil } from '../freezes/freezes.ts';
import type { RolloutEvent } from './rollout.ts';
import { activeStates } from './states.ts';
import { applyToDue } from './store.ts';
import type { DeploymentRow } from './table.ts';
import { type MaintenanceWindow, nextOpening } from './window.ts';

/** Targets in memory at a time. */
const batch = 500;
/** Started by one look at most: its tally is shared by so many, and an operator's word waits for no more. */
const perLook = 2_000;
/** Started by the first look: they leave while the next are started, as many as before until a look has its most. */
const firstLook = 500;
const soonMs = 500;
/** Looks while a maintenance window is closed or a freeze holds, should the rules of a time zone be other than computed. */
export const closedMs = 15 * 60_000;
/** Between two searches for what newer deployments have overtaken; until then it is only not started. */
const sweepEveryMs = 10_000;

/** What a look has found besides the rollout's own state. */
export interface Look {
  /** There may be more to do then. */
  soonAt: number | null;
  /** The maintenance window is closed in every time zone, until then. */
  opensAt: number | null;
  /** A freeze holds, until then. */
  frozenUntil: number | null;
  sweptAt: Date | null;
}

/** Starts what a `dispatch` action allows; answers what the machine must be told. The deployment's row must be locked. */
export async function startTargets(
  tx: Db,
  row: DeploymentRow,
  action: { upToWave: number; limit: number; window: MaintenanceWindow | null; started: number },
  look: Look,
  now: number,
): Promise<RolloutEvent | null> {
  look.frozenUntil = row.freezeOverride === null ? await frozenUntil(tx, now) : null;
  if (look.frozenUntil !== null) return null;
  const zones = action.window && (await findOpenZones(tx, action.window, now));
  if (zones && zones.open.length === 0) {
    look.opensAt = zones.opensAt;
    return null;
  }
  const rivals = await hasRivals(tx, row);
  const sweep = async () => {
    if ((await supersede(tx, row)) > 0) look.soonAt = now;
    look.sweptAt = new Date(now);
  };
  if (rivals && look.sweptAt === null) await sweep();
  const limit = Math.min(action.limit, perLook, Math.max(action.started, firstLook));
  let claimed = 0;
  for (let more = true; more && claimed < limit; ) {
    const some = Math.min(limit - claimed, batch);
    const due = startable(row, action.upToWave, some, zones?.open ?? null, rivals);
    const done = await applyToDue(tx, { type: 'dispatch' }, due);
    claimed += done.claimed;
    more = done.claimed === some;
  }
  if (claimed > 0) look.soonAt ??= now + (claimed === limit ? 0 : soonMs);
  const isSweepDue = now - (look.sweptAt?.getTime() ?? 0) >= sweepEveryMs;
  if (rivals && claimed < limit && isSweepDue) await sweep();
  return { type: 'dispatched', count: claimed };
}

/** In which of the time zones in use the window is open; if in none, when it opens in the first. */
async function findOpenZones(
  tx: Db,
  window: MaintenanceWindow,
  now: number,
): Promise<{ open: string[]; opensAt: number }> {
  const zones = (await listTimeZones(tx)).map((zone) => ({ zone, opensAt: nextOpening(window, zone, now) }));
  return {
    open: zones.flatMap(({ zone, opensAt }) => (opensAt === now ? [zone] : [])),
    opensAt: Math.min(now + closedMs * 100, ...zones.flatMap(({ opensAt }) => opensAt ?? [])),
  };
}

/**
 * Pending targets whose device can be reached (and is where the maintenance window is open). One waits while its device works on
 * anything else, for a device does one thing at a time; and, with rivals, while another running deployment has the same component of
 * it pending, or a newer one has updated it: the older of two must be superseded first, or it would be sent after the newer and undo it.
 */
function startable(
  row: DeploymentRow,
  upToWave: number,
  limit: number,
  zones: string[] | null,
  rivals: boolean,
): SQL {
  const inWindow = zones
    ? sql`and coalesce((select r.time_zone from regions r where r.id = v.region_id), ${defaultTimeZone}) in
        (select value from jsonb_array_elements_text(${JSON.stringify(zones)}::jsonb))`
    : sql``;
  const unrivalled = rivals
    ? sql`and not exists (
        select 1 from targets o join deployments p on p.id = o.deployment_id and p.state = 'running'
        where o.device_id = t.device_id and o.component = t.component and o.deployment_id <> t.deployment_id
          and o.state = 'pending' ${eachByItself})
      and not exists (
        select 1 from targets o join deployments n on n.id = o.deployment_id and ${isNewer(sql`n`, row)}
        where o.device_id = t.device_id and o.component = t.component and o.state = 'succeeded')`
    : sql``;
  return sql`
    select t.deployment_id as "deploymentId", t.device_id as "deviceId"
    from targets t join devices v on v.id = t.device_id and v.reachable and not v.blocked
    where t.deployment_id = ${row.id} and t.state = 'pending' and t.wave <= ${upToWave}
      and (t.next_attempt_at is null or t.next_attempt_at <= now()) ${inWindow}
      and not exists (
        select 1 from targets o where o.device_id = t.device_id
          and o.state in ${sqlList(activeStates)} ${eachByItself})
      ${unrivalled}
    order by t.wave, t.device_id limit ${limit} for update of t skip locked`;
}

/** Asked of the database, for a JavaScript date has no microseconds: by one, a deployment would be newer than itself. */
function isNewer(deployment: SQL, than: DeploymentRow): SQL {
  return sql`(${deployment}.created_at, ${deployment}.id) > (select x.created_at, x.id from deployments x where x.id = ${than.id}::uuid)`;
}

/** Other deployments that may want the same devices, or may have updated them since. */
async function hasRivals(tx: Db, row: DeploymentRow): Promise<boolean> {
  const rows = await query<{ id: string }>(
    tx,
    sql`select d.id from deployments d where d.id <> ${row.id} and (d.finished_at is null or ${isNewer(sql`d`, row)}) limit 1`,
  );
  return rows.length > 0;
}

const overtaking = sql`(o.state in ${sqlList([...activeStates, 'succeeded'])}
  or (o.state = 'pending' and n.state = 'running'))`;

/**
 * Where a newer deployment waits for, works on or has updated the same component of a device, the older one is not sent any more,
 * however long it was paused. Two passes, each over the targets of this deployment: what overtakes it, and what it overtakes.
 */
async function supersede(tx: Db, row: DeploymentRow): Promise<number> {
  const mine = sql`
    select t.deployment_id as "deploymentId", t.device_id as "deviceId"
    from targets t join targets o on o.device_id = t.device_id and o.component = t.component
      join deployments n on n.id = o.deployment_id and ${isNewer(sql`n`, row)}
    where t.deployment_id = ${row.id} and t.state = 'pending' and ${overtaking}
    order by t.device_id limit ${batch} for update of t skip locked`;
  const theirs = sql`
    select t.deployment_id as "deploymentId", t.device_id as "deviceId"
    from targets o join deployments n on n.id = o.deployment_id
      join targets t on t.device_id = o.device_id and t.component = o.component and t.state = 'pending'
      join deployments d on d.id = t.deployment_id and d.id <> n.id and (d.created_at, d.id) < (n.created_at, n.id)
    where o.deployment_id = ${row.id} and ${overtaking}
    order by o.device_id limit ${batch} for update of t skip locked`;
  let superseded = 0;
  for (const pass of [mine, theirs]) {
    // What was superseded is pending no more, so each batch finds the next ones.
    for (let claimed = batch; claimed === batch; superseded += claimed) {
      ({ claimed } = await applyToDue(tx, { type: 'supersede' }, pass));
    }
  }
  return superseded;
}
