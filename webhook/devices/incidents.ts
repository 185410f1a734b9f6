/** Restarts, crashes and outages of devices, noted as they come: one row each, none for what every device does all the time. */
import { eq, type SQL, sql } from 'drizzle-orm';
import type { StatusHealth } from '#emqx/protocol.ts';
import type { Db } from '../db/query.ts';
import { deviceIncidents } from './table.ts';

type Boot = NonNullable<StatusHealth['boot']>;

/** Those that somebody wanted. A device that was switched on again cannot be told from one that lost power. */
const wanted: readonly Boot['reason'][] = ['update', 'rollback', 'command'];

/** Before the reports themselves are stored: a count that has grown by more than one tells of boots that could not report. */
export async function recordBoots(
  db: Db,
  boots: { deviceId: string; at: Date; boot: Boot }[],
): Promise<void> {
  if (boots.length === 0) return;
  const rows = boots.map(({ deviceId, at, boot }) => ({
    ...{ deviceId, at, count: boot.count },
    unwanted: wanted.includes(boot.reason) ? 0 : 1,
  }));
  await db.execute(sql`
    insert into device_incidents (device_id, at, kind, amount)
    select "deviceId", at, 'restart', unwanted + untold
    from (
      select v.*, case when v.count > before then least(v.count - before - 1, 1000) else 0 end as untold
      from (
        select r.*, lag(r.count, 1, (d.health->'boot'->>'count')::bigint) over (partition by d.id order by r.count) as before
        from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
          as r("deviceId" text, at timestamptz, count bigint, unwanted int) join devices d on d.id = r."deviceId") v) w
    where unwanted + untold > 0`);
}

/**
 * Before they are marked as connected: each has lost a connection, and was away from when it was last seen; one that counts as online
 * has only changed it. `rows`: (device, connectedAt in ms).
 */
export function outagesOf(rows: SQL): SQL {
  return sql`
    insert into device_incidents (device_id, at, kind, amount)
    select d.id, to_timestamp(v."connectedAt" / 1000.0), 'outage',
      case when d.online then 0 else greatest(0, v."connectedAt" - extract(epoch from d.last_seen_at) * 1000)::bigint end
    from ${rows} join devices d on d.id = v."deviceId"
    where d.connected_at < to_timestamp(v."connectedAt" / 1000.0) and d.last_seen_at is not null`;
}

/** Each by itself, beside the restart that followed it. */
export async function recordCrashes(db: Db, crashes: { deviceId: string; at: Date }[]): Promise<void> {
  await db
    .insert(deviceIncidents)
    .values(crashes.map(({ deviceId, at }) => ({ deviceId, at, kind: 'crash' as const, amount: 1 })));
}

/** Of a device that is no more. */
export async function forgetDevice(db: Db, deviceId: string): Promise<void> {
  await db.delete(deviceIncidents).where(eq(deviceIncidents.deviceId, deviceId));
}
