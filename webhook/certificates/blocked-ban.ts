/** Banning a whole device, and lifting that: separate from its certificates, which stay as they are. */
import { and, desc, eq, gt, isNotNull, isNull, sql } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import { at } from '../db/clock.ts';
import { type Db, query } from '../db/query.ts';
import { ensureKnown, findKnown } from '../devices/known.ts';
import { missing } from '../devices/many.ts';
import * as presence from '../devices/presence.ts';
import { everything, type Reach } from '../devices/reach.ts';
import { AppError } from '../errors.ts';
import { paced } from '../paced.ts';
import { updateBlocked } from './blocked.ts';
import { inTurns, kick } from './blocked-kick.ts';
import { deviceBans } from './table.ts';

export interface BanView {
  device: string;
  reason: string;
  bannedBy: string;
  bannedAt: string;
}

export async function ban(
  context: Context,
  reach: Reach,
  device: string,
  reason: string,
  actor: string,
): Promise<BanView> {
  const row = await context.db.transaction(async (tx) => {
    await ensureKnown(tx, reach, device);
    const [added] = await insertBans(tx, [device], reason, actor);
    if (!added) throw new AppError('already_banned', 'This device is banned already.');
    await record(tx, { actor, action: 'device.ban', subject: device, detail: { reason } });
    return added;
  });
  await kick(context, [device]);
  context.wake();
  context.live.changed('device', device);
  return view(row);
}

/** In the caller's transaction, who kicks them after it; returns those that are not there or banned already. */
export async function banMany(tx: Db, ids: string[], reason: string, actor: string) {
  const known = await findKnown(tx, everything, ids);
  const to = known.map(({ id }) => id);
  const added = to.length > 0 ? await insertBans(tx, to, reason, actor) : [];
  const banned = new Set(added.map(({ deviceId }) => deviceId));
  const old = to.filter((id) => !banned.has(id)).map((id) => [id, 'already_banned'] as const);
  return new Map([...missing(ids, known), ...old]);
}

async function insertBans(tx: Db, ids: string[], reason: string, actor: string) {
  await presence.lock(tx, ids);
  const added = await tx
    .insert(deviceBans)
    .values(ids.map((deviceId) => ({ deviceId, reason, bannedBy: actor })))
    // One that was lifted a moment ago may still be there.
    .onConflictDoUpdate({
      target: deviceBans.deviceId,
      set: { reason, bannedBy: actor, bannedAt: sql`now()`, liftedAt: null, tellAt: sql`now()` },
      setWhere: isNotNull(deviceBans.liftedAt),
    })
    .returning();
  await updateBlocked(
    tx,
    added.map(({ deviceId }) => deviceId),
  );
  return added;
}

export async function lift(context: Context, reach: Reach, device: string, actor: string): Promise<void> {
  await context.db.transaction(async (tx) => {
    await presence.lock(tx, [device]);
    const gone = await tx
      .update(deviceBans)
      .set({ liftedAt: sql`now()`, tellAt: sql`now()` })
      .where(
        and(eq(deviceBans.deviceId, device), isNull(deviceBans.liftedAt), reach.holds(deviceBans.deviceId)),
      )
      .returning();
    if (gone.length === 0) throw new AppError('not_found', 'This device is not banned.');
    await record(tx, { actor, action: 'device.unban', subject: device });
    await updateBlocked(tx, [device]);
  });
  context.wake();
  context.live.changed('device', device);
}

const everyMs = 500;
const batch = 100;
const againS = 60;
const retryS = 2;

/**
 * Gives the broker its bans and takes them back. A step of `background.ts`. Each is told again every minute: a broker that lost it (or
 * heard ban and lift in the wrong order from two copies) has it right again. So a lifted one goes only when it was told twice.
 */
export const createTellBans = () =>
  paced({ everyMs }, async function tellBans(context: Context) {
    const { db } = context;
    const due = await query<{ device: string; reason: string; lifted: boolean }>(
      db,
      sql`update device_bans set tell_at = now() + make_interval(secs => ${againS})
          where device_id in (select device_id from device_bans where tell_at <= now()
            order by tell_at limit ${batch} for update skip locked)
          returning device_id as device, reason, lifted_at is not null as lifted`,
    );
    await inTurns(due, async ({ device, reason, lifted }) => {
      const which = and(eq(deviceBans.deviceId, device), lifted ? isNotNull(deviceBans.liftedAt) : undefined);
      try {
        if (!lifted) return await context.broker.ban(device, reason);
        await context.broker.unban(device);
        const toldTwice = sql`${deviceBans.liftedAt} < now() - make_interval(secs => ${againS / 2})`;
        await db.delete(deviceBans).where(and(which, toldTwice));
      } catch (error) {
        context.log('warn', 'ban not with the broker yet', { device, lifted, error });
        const soon = sql`now() + make_interval(secs => ${retryS})`;
        await db.update(deviceBans).set({ tellAt: soon }).where(which);
      }
    });
    return due.length === batch ? 'more' : 'done';
  });

export async function list(db: Db, reach: Reach): Promise<BanView[]> {
  const rows = await db
    .select()
    .from(deviceBans)
    .where(and(isNull(deviceBans.liftedAt), reach.holds(deviceBans.deviceId)))
    .orderBy(desc(deviceBans.bannedAt));
  return rows.map(view);
}

function view({ deviceId, reason, bannedBy, bannedAt }: typeof deviceBans.$inferSelect): BanView {
  return { device: deviceId, reason, bannedBy, bannedAt: bannedAt.toISOString() };
}

/** The clock went back: none is told as late. */
export async function dropFuture(db: Db, now: number): Promise<void> {
  await db
    .update(deviceBans)
    .set({ tellAt: at(now) })
    .where(gt(deviceBans.tellAt, at(now + againS * 1000)));
}
