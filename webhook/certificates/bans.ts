/** Banning a whole device, and lifting that: separate from its certificates, which stay as they are. */
import { desc, eq } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import type { Db } from '../db/connect.ts';
import * as presence from '../devices/presence.ts';
import { AppError } from '../errors.ts';
import { kick, reassess } from './blocking.ts';
import { deviceBans } from './table.ts';

export interface BanView {
  device: string;
  reason: string;
  bannedBy: string;
  bannedAt: string;
}

export async function ban(context: Context, device: string, reason: string, actor: string): Promise<BanView> {
  const row = await context.db.transaction(async (tx) => {
    if (!(await presence.findKnown(tx, [device])).has(device))
      throw new AppError('not_found', 'There is no such device.');
    await presence.lock(tx, [device]);
    const [added] = await tx
      .insert(deviceBans)
      .values({ deviceId: device, reason, bannedBy: actor })
      .onConflictDoNothing()
      .returning();
    if (!added) throw new AppError('already_banned', 'This device is banned already.');
    await record(tx, { actor, action: 'device.ban', subject: device, detail: { reason } });
    await reassess(tx, [device]);
    return added;
  });
  await kick(context, [device]);
  context.live.changed('device', device);
  return view(row);
}

export async function lift(context: Context, device: string, actor: string): Promise<void> {
  await context.db.transaction(async (tx) => {
    await presence.lock(tx, [device]);
    const gone = await tx.delete(deviceBans).where(eq(deviceBans.deviceId, device)).returning();
    if (gone.length === 0) throw new AppError('not_found', 'This device is not banned.');
    await record(tx, { actor, action: 'device.unban', subject: device });
    await reassess(tx, [device]);
  });
  context.live.changed('device', device);
}

export async function list(db: Db): Promise<BanView[]> {
  return (await db.select().from(deviceBans).orderBy(desc(deviceBans.bannedAt))).map(view);
}

function view({ deviceId, reason, bannedBy, bannedAt }: typeof deviceBans.$inferSelect): BanView {
  return { device: deviceId, reason, bannedBy, bannedAt: bannedAt.toISOString() };
}
