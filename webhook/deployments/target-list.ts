/** A deployment's targets, page by page, and the timeline of each. */
import { and, eq, gte } from 'drizzle-orm';
import type { Db } from '../db/query.ts';
import type { Reach } from '../devices/reach.ts';
import { devices, divisions, regions } from '../devices/table.ts';
import type { Deferral } from './machine.ts';
import { isThere, noDeployment } from './reached.ts';
import { byAttention, type TargetState } from './states.ts';
import { deployments, targetEvents, targets } from './table.ts';
import { readTallies } from './tallies.ts';

interface TargetFilter {
  state?: TargetState | undefined;
  limit?: number | undefined;
  offset: number;
}

/** One snapshot for all its statements: a target that changes its state meanwhile would be on the page twice, or not at all. */
export async function list(db: Db, reach: Reach, deploymentId: string, filter: TargetFilter) {
  return db.transaction((tx) => readTargets(tx, reach, deploymentId, filter), {
    isolationLevel: 'repeatable read',
    accessMode: 'read only',
  });
}

async function readTargets(db: Db, reach: Reach, deploymentId: string, filter: TargetFilter) {
  if (!(await createdAtOf(db, reach, deploymentId))) throw noDeployment();
  const ofState = (state: TargetState) =>
    and(eq(targets.deploymentId, deploymentId), eq(targets.state, state), reach.on());
  const counts = new Map<TargetState, number>();
  for (const { state, n } of await readTallies(db, reach, [deploymentId])) {
    if (!filter.state || state === filter.state) counts.set(state, (counts.get(state) ?? 0) + n);
  }
  const readState = (state: TargetState, limit: number, offset: number) =>
    db
      .select({ target: targets, deviceName: devices.name, region: regions.name, division: divisions.name })
      .from(targets)
      .innerJoin(devices, eq(devices.id, targets.deviceId))
      .leftJoin(regions, eq(regions.id, devices.regionId))
      .leftJoin(divisions, eq(divisions.id, devices.divisionId))
      .where(ofState(state))
      .orderBy(targets.deviceId)
      .limit(limit)
      .offset(offset);
  // State by state, each in the order of an index: nothing is sorted for a page.
  const rows: Awaited<ReturnType<typeof readState>> = [];
  let [skip, left] = [filter.offset, filter.limit ?? 1000];
  for (const state of byAttention) {
    const n = counts.get(state) ?? 0;
    if (skip < n && left > 0) {
      const some = await readState(state, left, skip);
      rows.push(...some);
      left -= some.length;
    }
    skip = Math.max(0, skip - n);
  }
  return {
    items: rows.map(({ target, deviceName, region, division }) => ({
      device: target.deviceId,
      deviceName,
      component: target.component,
      region,
      division,
      state: target.state,
      attempt: target.attempt,
      receivedBytes: target.receivedBytes,
      totalBytes: target.totalBytes,
      bytesPerSecond: target.bytesPerSecond,
      error: target.errorCode ? { code: target.errorCode, message: target.errorMessage ?? undefined } : null,
      deferred: presentDeferral(target),
      updatedAt: target.updatedAt.toISOString(),
    })),
    total: [...counts.values()].reduce((total, n) => total + n, 0),
  };
}

export function presentDeferral({
  deferred,
  deferralEndsAt,
}: {
  deferred: Deferral | null;
  deferralEndsAt: Date | null;
}) {
  return deferred && { ...deferred, deadline: deferralEndsAt?.toISOString() ?? null };
}

/** A device's timeline within a deployment, oldest first. */
export async function readTimeline(db: Db, reach: Reach, deploymentId: string, deviceId: string) {
  const createdAt = await createdAtOf(db, reach, deploymentId);
  if (!createdAt) return [];
  const rows = await timelineOf(db, reach, deploymentId, deviceId, createdAt);
  return rows.map(({ at, event, state, detail }) => ({ at: at.toISOString(), event, state, detail }));
}

/** Days before the deployment was made are not opened; an hour for clocks that differ. */
export function timelineOf(db: Db, reach: Reach, deploymentId: string, deviceId: string, createdAt: Date) {
  const first = new Date(createdAt.getTime() - 3_600_000);
  const { deploymentId: deployment, deviceId: device, at, id } = targetEvents;
  return db
    .select()
    .from(targetEvents)
    .where(and(eq(device, deviceId), eq(deployment, deploymentId), gte(at, first), reach.holds(device)))
    .orderBy(id)
    .limit(1000);
}

/** Null: there is no such deployment. */
async function createdAtOf(db: Db, reach: Reach, id: string): Promise<Date | null> {
  const [row] = await db
    .select({ createdAt: deployments.createdAt })
    .from(deployments)
    .where(and(eq(deployments.id, id), isThere(reach)));
  return row?.createdAt ?? null;
}
