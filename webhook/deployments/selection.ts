/** Who a deployment is for: the selection resolved against what devices are and run, in one statement. */
import { type SQL, sql } from 'drizzle-orm';
import { mainComponent } from '#emqx/protocol.ts';
import { lookAgain } from '../db/planning.ts';
import { type Db, query } from '../db/query.ts';
import { type Chosen, chosen } from '../devices/chosen.ts';
import { devices } from '../devices/table.ts';
import { AppError } from '../errors.ts';
import type { Firmware } from '../firmware/firmware.ts';
import { canOpen, isSealed } from '../firmware/sealing/sealing.ts';
import { leftOut, type Selected } from './left-out.ts';
import { controlSize, cutWaves, defaultGate, type Gate, type RolloutPolicy } from './policy.ts';
import type { Reason } from './schema.ts';
import type { UndoReason } from './undo-schema.ts';
import { undoable } from './undoable.ts';

/** What a deployment's devices are: chosen, or those of the deployment that it undoes. */
export type Meant = Selected & { undoes?: string | null };
export const nobody: Chosen = { all: false, regions: [], divisions: [], devices: [] };

/**
 * Chosen devices as (id, reachable, region_id, reason); a reason of null is a device that gets the update. The main component's
 * hardware is the device's as registered, a child's (an Arduino on its serial port) is what the device reports.
 */
export function resolved(image: Firmware, selection: Meant): SQL {
  if (selection.undoes) return undoable(image, selection.undoes);
  const isChild = image.component !== mainComponent;
  const fits = isChild
    ? sql`(c.hardware is not null and c.hardware = ${image.hardware})`
    : sql`${devices.hardware} = ${image.hardware}`;
  const absent = isChild ? sql`when c.component is null then 'no_component'` : sql``;
  return sql`
    select ${devices.id} as id, ${devices.reachable} as reachable, ${devices.regionId} as region_id,
      case ${absent}
           when not ${fits} then 'other_hardware'
           ${leftOut(image, selection)}
           when c.sha256 = ${image.sha256} then 'up_to_date'
           when c.security_version > ${image.securityVersion}::int then 'downgrade'
           when ${isSealed(sql`${image.hardware}::text`, sql`${image.sealed}::boolean`)} and not ${canOpen(sql`${devices.id}`)}
             then 'cannot_decrypt' end as reason
    from ${devices} left join components c on c.device_id = ${devices.id} and c.component = ${image.component}
    where ${chosen(selection, fits)}`;
}

/**
 * Those that get it, numbered in the order of the waves: devices that can be reached come first, or a first wave of one could
 * wait for good; among them the order is arbitrary but fixed for a firmware.
 */
export function numbered(image: Firmware, selection: Meant): SQL {
  return sql`
    select id, row_number() over (order by reachable desc, md5(id || ${image.id}::text), id) as n
    from (${resolved(image, selection)}) r where reason is null`;
}

/**
 * The same with a control group of that size as the last ones: drawn by lot, from those that can be reached and the others alike, or
 * their difference would be that of the groups.
 */
export function numberedWithControl(
  image: Firmware,
  selection: Meant,
  policy: RolloutPolicy,
  control: number,
): SQL {
  if (policy.health === null || control === 0) return numbered(image, selection);
  const lot = sql`md5(id || ${policy.health.seed}::text), id`;
  return sql`
    select v.id, row_number() over (order by c.id is not null, v.n) as n
    from (${numbered(image, selection)}) v left join (
      select id from (
        select id, (row_number() over (partition by reachable order by ${lot}) - 0.5) / count(*) over (partition by reachable) as share
        from (${resolved(image, selection)}) r where r.reason is null) s
      order by share, ${lot} limit ${control}) c on c.id = v.id`;
}

export async function countByReason(
  db: Db,
  image: Firmware,
  selection: Meant,
): Promise<Map<Reason | UndoReason | null, number>> {
  const rows = await query<{ reason: Reason | UndoReason | null; n: number }>(
    db,
    sql`select reason, count(*)::int as n from (${resolved(image, selection)}) r group by reason`,
  );
  return new Map(rows.map((row) => [row.reason, row.n]));
}

/** Ids of those that get it. */
export function eligible(image: Firmware, selection: Meant): SQL {
  return sql`select id from (${resolved(image, selection)}) r where r.reason is null`;
}

/** A query that matches no device at all is a slip, unless devices may come to match it. Throws `no_match`. */
export function refuseNoMatch(
  { query }: Chosen,
  counts: Map<unknown, number>,
  { lateJoinersMs }: Pick<RolloutPolicy, 'lateJoinersMs'>,
): void {
  if (query !== undefined && counts.size === 0 && lateJoinersMs === null)
    throw new AppError('no_match', 'The query matches none of the chosen devices.');
}

/** SQL for the wave of the device numbered `n`. */
export function waveOf(ends: number[]): SQL {
  const branches = ends.slice(0, -1).map((end, wave) => sql`when n <= ${end}::int then ${wave}::int`);
  return branches.length ? sql`case ${sql.join(branches, sql` `)} else ${ends.length - 1}::int end` : sql`0`;
}

/** What the device `v` attests now: what an undo goes back to. */
const ran = (image: Firmware) => sql`
  (select c.sha256 from components c where c.device_id = v.id and c.component = ${image.component})`;

/** Makes the targets and answers the gates of the waves that got any, with how many targets there are in all. */
export async function insertTargets(
  db: Db,
  deploymentId: string,
  image: Firmware,
  selection: Meant,
  policy: RolloutPolicy,
): Promise<{ gates: Gate[]; total: number }> {
  await lookAgain(db, ['components', 'devices']);
  const counts = await countByReason(db, image, selection);
  const { waves, health } = policy;
  const control = controlSize(health, counts.get(null) ?? 0);
  const cut = cutWaves(waves, counts.get(null) ?? 0, control);
  const skipped = (counts.get('up_to_date') ?? 0) + (counts.get('downgrade') ?? 0);
  const gates = cut.map((c) => c.gate);
  if (cut.length) {
    await db.execute(sql`
      insert into targets (deployment_id, device_id, component, wave, state, total_bytes, ran)
      select ${deploymentId}::uuid, id, ${image.component}, ${waveOf(cut.map((c) => c.end))}, 'pending', ${selection.undoes ? 0 : image.sizeBytes}::bigint,
        ${ran(image)}
      from (${numberedWithControl(image, selection, policy, control)}) v`);
  }
  if (skipped) {
    await db.execute(sql`
      with made as (
        insert into targets (deployment_id, device_id, component, wave, state, total_bytes, error_code)
        select ${deploymentId}::uuid, id, ${image.component}, -1, 'skipped', ${image.sizeBytes}::bigint, reason
        from (${resolved(image, selection)}) r where reason in ('up_to_date', 'downgrade')
        on conflict do nothing
        returning deployment_id, device_id, error_code)
      insert into target_events (deployment_id, device_id, at, event, state, detail)
      select deployment_id, device_id, now(), 'start', 'skipped', error_code from made`);
  }
  const total = (counts.get(null) ?? 0) + skipped;
  await lookAgain(db, ['targets'], total);
  // Whoever joins later needs a wave.
  if (gates.length === 0) gates.push(waves.map(({ upTo: _, ...gate }) => gate).at(-1) ?? defaultGate(1));
  return { gates, total };
}

/** Makes targets of that wave for devices that match now and have none yet; answers how many got one that is not skipped. */
export async function joinTargets(
  db: Db,
  deploymentId: string,
  image: Firmware,
  selection: Meant,
  wave: number,
): Promise<number> {
  const [row] = await query<{ n: number }>(
    db,
    sql`with made as (
          insert into targets (deployment_id, device_id, component, wave, state, total_bytes, error_code, ran)
          select ${deploymentId}::uuid, id, ${image.component}, case when reason is null then ${wave}::int else -1 end,
            case when reason is null then 'pending' else 'skipped' end, ${selection.undoes ? 0 : image.sizeBytes}::bigint, reason, ${ran(image)}
          from (${resolved(image, selection)}) v
          where (reason is null or reason in ('up_to_date', 'downgrade'))
            and not exists (select 1 from targets t where t.deployment_id = ${deploymentId}::uuid and t.device_id = v.id)
          on conflict do nothing
          returning deployment_id, device_id, state, error_code),
        told as (
          insert into target_events (deployment_id, device_id, at, event, state, detail)
          select deployment_id, device_id, now(), 'join', state, error_code from made)
        select count(*) filter (where state = 'pending')::int as n from made`,
  );
  return row!.n;
}
