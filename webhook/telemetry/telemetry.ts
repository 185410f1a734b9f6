import { eq, inArray, sql } from 'drizzle-orm';
import { type Db, query, together } from '../db/query.ts';
import { keepNewest } from './newest.ts';
import { controlCommands, deviceLogs, measuredHours, measurements, telemetrySources } from './table.ts';
import { toBody } from './topics.ts';

export interface TelemetryRow {
  deviceId: string;
  topic: string;
  at: Date;
  body: Record<string, unknown>;
}

export async function recordTelemetry(db: Db, rows: TelemetryRow[]): Promise<void> {
  if (rows.length === 0) return;
  await together(insert(db, rows), keepNewest(db, rows));
}

async function insert(db: Db, rows: TelemetryRow[]): Promise<void> {
  const unplaced = await place(db, rows);
  if (unplaced.length === 0) return;
  await addSources(db, unplaced);
  await place(db, unplaced);
}

/** Answers those whose source is not there yet. */
async function place(db: Db, rows: TelemetryRow[]): Promise<TelemetryRow[]> {
  const given = rows.map(({ deviceId: d, topic: t, at, body }, i) => ({ i, d, t, at, b: toBody(t, body) }));
  const unplaced = await query<{ i: number }>(
    db,
    sql`with given as materialized (
          select v.i, s.id, v.at, v.b from jsonb_to_recordset(${JSON.stringify(given)}::jsonb)
            as v(i int, d text, t text, at timestamptz, b jsonb)
          left join telemetry_sources s on s.device_id = v.d and s.topic = v.t),
        placed as (insert into measurements (source, at, body) select id, at, b from given where id is not null)
        select i from given where id is null`,
  );
  return unplaced.map(({ i }) => rows[i]!);
}

/** In the order of their key, so that two transactions never wait in a circle; a device that is deleted meanwhile has none. */
async function addSources(db: Db, rows: TelemetryRow[]): Promise<void> {
  const given = rows.map(({ deviceId: d, topic: t }) => ({ d, t }));
  await db.execute(sql`
    insert into telemetry_sources (device_id, topic)
    select d.id, v.t
    from (select distinct d, t from jsonb_to_recordset(${JSON.stringify(given)}::jsonb) as v(d text, t text)) v
    join devices d on d.id = v.d order by d.id, v.t for key share of d
    on conflict do nothing`);
}

export async function recordLogs(
  db: Db,
  rows: { deviceId: string; at: Date; level: string; message: string }[],
): Promise<void> {
  if (rows.length === 0) return;
  await db.execute(sql`
    insert into device_logs (device_id, at, level, message)
    select "deviceId", at, level, message from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      as v("deviceId" text, at timestamptz, level text, message text)`);
}

/** Answers to commands; one whose command nobody sent changes nothing. */
export async function recordResponses(
  db: Db,
  rows: { deviceId: string; command: string; response: Record<string, unknown> }[],
): Promise<void> {
  if (rows.length === 0) return;
  await db.execute(sql`
    update control_commands c set answered_at = now(), response = v.response
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as v("deviceId" text, command text, response jsonb)
    where c.id = v.command and c.device_id = v."deviceId" and c.answered_at is null`);
}

/** What is kept of a device that is no more. */
export async function forgetDevice(db: Db, deviceId: string): Promise<void> {
  const sources = db
    .select({ id: telemetrySources.id })
    .from(telemetrySources)
    .where(eq(telemetrySources.deviceId, deviceId));
  await db.delete(measurements).where(inArray(measurements.source, sources));
  await db.delete(measuredHours).where(inArray(measuredHours.source, sources));
  await db.delete(telemetrySources).where(eq(telemetrySources.deviceId, deviceId));
  await db.delete(deviceLogs).where(eq(deviceLogs.deviceId, deviceId));
  await db.delete(controlCommands).where(eq(controlCommands.deviceId, deviceId));
}
