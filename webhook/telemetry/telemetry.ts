import { eq, sql } from 'drizzle-orm';
import { type Db, together } from '../db/query.ts';
import { keepNewest } from './newest.ts';
import { controlCommands, deviceLogs, telemetry } from './table.ts';

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
  await db.execute(sql`
    insert into telemetry (device_id, topic, at, body)
    select "deviceId", topic, at, body from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      as v("deviceId" text, topic text, at timestamptz, body jsonb)`);
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
  await db.delete(telemetry).where(eq(telemetry.deviceId, deviceId));
  await db.delete(deviceLogs).where(eq(deviceLogs.deviceId, deviceId));
  await db.delete(controlCommands).where(eq(controlCommands.deviceId, deviceId));
}
