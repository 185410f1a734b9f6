/** Commands that operators send to devices. */

import { randomUUID } from 'node:crypto';
import { z } from '@hono/zod-openapi';
import { and, count, eq, getTableColumns } from 'drizzle-orm';
import { controlCommandSchema, isWithinJsonLimits, jsonTooComplex } from '#emqx/protocol.ts';
import { record } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import { down, Order, type Paging, readPage } from '../db/keyset.ts';
import type { Db } from '../db/query.ts';
import { ensureKnown, findKnown } from '../devices/known.ts';
import { missing } from '../devices/many.ts';
import { everything, type Reach } from '../devices/reach.ts';
import { enqueue } from '../outbox/outbox.ts';
import { controlCommands } from './table.ts';

/** A command may take 4 KiB on its way; this leaves room for what is added to it. */
const maxArgsBytes = 3_500;

export const commandFields = {
  command: controlCommandSchema.shape.command,
  args: z
    .record(z.string(), z.unknown())
    .refine(isWithinJsonLimits, { message: jsonTooComplex, abort: true })
    .refine((args) => Buffer.byteLength(JSON.stringify(args)) <= maxArgsBytes, 'is too large')
    .optional(),
};

type Args = Record<string, unknown> | undefined;

/** Sends a command to a device; its answer is stored beside it when it comes. */
export async function sendCommand(
  context: Context,
  reach: Reach,
  deviceId: string,
  command: string,
  args: Args,
  actor: string,
): Promise<Command> {
  await ensureKnown(context.db, reach, deviceId);
  const sent = await context.db.transaction(async (tx) => {
    const [row] = await write(tx, [deviceId], command, args, actor);
    await record(tx, { actor, action: 'device.command', subject: deviceId, detail: { command } });
    return row!;
  });
  context.wake();
  return sent;
}

/** To many devices, in the caller's transaction; returns those that are not there. */
export async function sendMany(tx: Db, ids: string[], command: string, args: Args, actor: string) {
  const known = await findKnown(tx, everything, ids);
  if (known.length > 0) {
    const to = known.map(({ id }) => id);
    await write(tx, to, command, args, actor);
  }
  return new Map(missing(ids, known));
}

async function write(
  tx: Db,
  devices: string[],
  command: string,
  args: Args,
  actor: string,
): Promise<Command[]> {
  const values = devices.map((deviceId) => ({
    ...{ id: randomUUID(), deviceId, command },
    ...{ args: args ?? null, createdBy: actor },
  }));
  const rows = await tx.insert(controlCommands).values(values).returning();
  await enqueue(
    tx,
    rows.map(({ id, deviceId }) => ({
      deviceId,
      topic: 'control/command',
      body: { id, command, ...(args && { args }) },
    })),
  );
  return rows;
}

export type Command = typeof controlCommands.$inferSelect;

/** Newest first. */
const newest = new Order('commands', [down(controlCommands.createdAt), down(controlCommands.id)]);

export async function listCommands(db: Db, deviceId: string, paging: Paging) {
  const where = eq(controlCommands.deviceId, deviceId);
  const { rows: items, next } = await readPage(newest, paging, (behind, limit, offset) =>
    db
      .select({ ...getTableColumns(controlCommands), key: newest.key })
      .from(controlCommands)
      .where(and(where, behind))
      .orderBy(...newest.by)
      .limit(limit)
      .offset(offset),
  );
  const [total] = await db.select({ value: count() }).from(controlCommands).where(where);
  return { items, total: total!.value, next };
}
