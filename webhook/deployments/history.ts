/** What deployments did, and are doing, to one device. */
import { and, count, eq, inArray, sql } from 'drizzle-orm';
import { down, Order, type Paging, readPage, up } from '../db/keyset.ts';
import { type Db, query } from '../db/query.ts';
import { firmwares } from '../firmware/table.ts';
import * as outbox from '../outbox/outbox.ts';
import { openStates } from './states.ts';
import { deployments, targetEvents, targets } from './table.ts';

const newest = new Order('history', [
  down(deployments.createdAt),
  down(deployments.id),
  up(targets.component),
]);

/** Newest deployment first. */
export async function listForDevice(db: Db, deviceId: string, paging: Paging) {
  const { rows: items, next } = await readPage(newest, paging, (behind, limit, offset) =>
    db
      .select({
        key: newest.key,
        deployment: deployments.id,
        createdAt: deployments.createdAt,
        firmware: { id: firmwares.id, name: firmwares.name, version: firmwares.version },
        component: targets.component,
        state: targets.state,
        attempt: targets.attempt,
        errorCode: targets.errorCode,
        deferred: targets.deferred,
        deferralEndsAt: targets.deferralEndsAt,
        stats: targets.stats,
        updatedAt: targets.updatedAt,
      })
      .from(targets)
      .innerJoin(deployments, eq(deployments.id, targets.deploymentId))
      .innerJoin(firmwares, eq(firmwares.id, deployments.firmwareId))
      .where(and(eq(targets.deviceId, deviceId), behind))
      .orderBy(...newest.by)
      .limit(limit)
      .offset(offset),
  );
  const [total] = await db.select({ value: count() }).from(targets).where(eq(targets.deviceId, deviceId));
  return { items, total: total!.value, next };
}

/** Whether an update of the device has not ended yet. */
export async function isBusy(db: Db, deviceId: string): Promise<boolean> {
  const rows = await db
    .select({ id: targets.deploymentId })
    .from(targets)
    .where(and(eq(targets.deviceId, deviceId), inArray(targets.state, [...openStates])))
    .limit(1);
  return rows.length > 0;
}

/** Of a device that is no more: commands that still wait for it, and its timelines. */
export async function forgetDevice(db: Db, deviceId: string): Promise<void> {
  await outbox.forgetDevice(db, deviceId);
  await db.delete(targetEvents).where(eq(targetEvents.deviceId, deviceId));
}

/**
 * Forgets at most `most` targets of deployments that ended so many days ago; returns how many. What tallies say of them stays, and the
 * deployment tells from when on its targets are not known any more.
 */
export async function forgetTargets(db: Db, days: number, most: number): Promise<number> {
  return db.transaction(async (tx) => {
    const old = sql`finished_at < now() - make_interval(days => ${days}::int)`;
    await tx.execute(
      sql`update deployments set targets_forgotten_at = now() where ${old} and targets_forgotten_at is null`,
    );
    // Read by the trigger that tallies what is deleted.
    await tx.execute(sql`select set_config('flota.keep_tallies', 'on', true)`);
    const [row] = await query<{ n: number }>(
      tx,
      sql`with gone as (
            delete from targets where ctid = any(array(
              select t.ctid from deployments d join targets t on t.deployment_id = d.id
              where d.targets_forgotten_at is not null and d.${old}
              limit ${most} for update of t skip locked))
            returning 1)
          select count(*)::int as n from gone`,
    );
    return row!.n;
  });
}
