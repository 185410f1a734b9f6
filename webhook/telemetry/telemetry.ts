import { randomUUID } from 'node:crypto';
import { count, desc, eq, sql } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import type { Db } from '../db/query.ts';
import { ensureKnown } from '../devices/known.ts';
import { enqueue } from '../outbox/outbox.ts';
import { controlCommands, deviceLogs, telemetry } from './table.ts';

export interface TelemetryRow {
  deviceId: string;
  topic: string;
  at: Date;
  body: Record<string, unknown>;
}

export async function recordTelemetry(db: Db, rows: TelemetryRow[]): Promise<void> {
  await db.execute(sql`
    insert into telemetry (device_id, topic, at, body)
    select "deviceId", topic, at, body from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      as v("deviceId" text, topic text, at timestamptz, body jsonb)`);
}

export async function recordLogs(
  db: Db,
  rows: { deviceId: string; at: Date; level: string; message: string }[],
): Promise<void> {
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
  await db.execute(sql`
    update control_commands c set answered_at = now(), response = v.response
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as v("deviceId" text, command text, response jsonb)
    where c.id = v.command and c.device_id = v."deviceId" and c.answered_at is null`);
}

/** Sends a command to a device; its answer is stored beside it when it comes. */
export async function sendCommand(
  context: Context,
  deviceId: string,
  command: string,
  args: Record<string, unknown> | undefined,
  actor: string,
): Promise<Command> {
  await ensureKnown(context.db, deviceId);
  const id = randomUUID();
  const sent = await context.db.transaction(async (tx) => {
    const values = { id, deviceId, command, args: args ?? null, createdBy: actor };
    const [row] = await tx.insert(controlCommands).values(values).returning();
    await enqueue(tx, [{ deviceId, topic: 'control/command', body: { id, command, ...(args && { args }) } }]);
    await record(tx, { actor, action: 'device.command', subject: deviceId, detail: { command } });
    return row!;
  });
  context.wake();
  return sent;
}

export type Command = typeof controlCommands.$inferSelect;

/** Newest first. */
export async function listCommands(db: Db, deviceId: string, paging: { limit: number; offset: number }) {
  const where = eq(controlCommands.deviceId, deviceId);
  const items = await db
    .select()
    .from(controlCommands)
    .where(where)
    .orderBy(desc(controlCommands.createdAt), desc(controlCommands.id))
    .limit(paging.limit)
    .offset(paging.offset);
  const [total] = await db.select({ value: count() }).from(controlCommands).where(where);
  return { items, total: total!.value };
}

/** What is kept of a device that is no more. */
export async function forgetDevice(db: Db, deviceId: string): Promise<void> {
  await db.delete(telemetry).where(eq(telemetry.deviceId, deviceId));
  await db.delete(deviceLogs).where(eq(deviceLogs.deviceId, deviceId));
  await db.delete(controlCommands).where(eq(controlCommands.deviceId, deviceId));
}
