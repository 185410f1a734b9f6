/** A deployment's targets, page by page, and the timeline of each. */
import { and, eq, gt, gte, type SQL } from 'drizzle-orm';
import { noCursor, readCursor, refuseOffset, writeCursor } from '../db/keyset.ts';
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
  cursor?: string | undefined;
}

/** One snapshot for all its statements: a target that changes its state meanwhile would be on the page twice, or not at all. */
export async function list(db: Db, reach: Reach, deploymentId: string, filter: TargetFilter) {
  return db.transaction((tx) => readTargets(tx, reach, deploymentId, filter), {
    isolationLevel: 'repeatable read',
    accessMode: 'read only',
  });
}

async function readTargets(db: Db, reach: Reach, deploymentId: string, filter: TargetFilter) {
  const known = await find(db, reach, deploymentId);
  if (!known) throw noDeployment();
  if (known.targetsForgottenAt) return { items: [], total: 0, next: null };
  const ofState = (state: TargetState) =>
    and(eq(targets.deploymentId, deploymentId), eq(targets.state, state), reach.holds(targets.deviceId));
  const counts = new Map<TargetState, number>();
  for (const { state, n } of await readTallies(db, reach, [deploymentId])) {
    if (!filter.state || state === filter.state) counts.set(state, (counts.get(state) ?? 0) + n);
  }
  const readState = (state: TargetState, behind: SQL | undefined, limit: number, offset: number) => {
    // Only ids are walked over to the page, whose rows are read and joined then.
    const page = db
      .select({ id: targets.deviceId })
      .from(targets)
      .where(and(ofState(state), behind))
      .orderBy(targets.deviceId)
      .limit(limit)
      .offset(offset)
      .as('page');
    return db
      .select({ target: targets, deviceName: devices.name, region: regions.name, division: divisions.name })
      .from(page)
      .innerJoin(targets, and(eq(targets.deploymentId, deploymentId), eq(targets.deviceId, page.id)))
      .innerJoin(devices, eq(devices.id, page.id))
      .leftJoin(regions, eq(regions.id, devices.regionId))
      .leftJoin(divisions, eq(divisions.id, devices.divisionId))
      .orderBy(page.id);
  };
  // State by state, each in the order of an index: nothing is sorted for a page.
  const rows: Awaited<ReturnType<typeof readState>> = [];
  const last = filter.cursor === undefined ? null : readLast(filter.cursor);
  if (last) refuseOffset(filter);
  const limit = filter.limit ?? 1000;
  let skip = filter.offset;
  for (const state of last ? byAttention.slice(byAttention.indexOf(last.state)) : byAttention) {
    const n = counts.get(state) ?? 0;
    // One more than asked for, which tells whether there is a next page.
    if (skip < n && rows.length <= limit) {
      const behind = state === last?.state ? gt(targets.deviceId, last.device) : undefined;
      rows.push(...(await readState(state, behind, limit + 1 - rows.length, skip)));
    }
    skip = Math.max(0, skip - n);
  }
  const next = rows.length > limit ? cursorOf(rows[limit - 1]!.target) : null;
  return {
    items: rows.slice(0, limit).map(({ target, deviceName, region, division }) => ({
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
    next,
    total: [...counts.values()].reduce((total, n) => total + n, 0),
  };
}

/** Who changes state between two pages may be on both, or on none. */
const cursorOf = ({ state, deviceId }: { state: TargetState; deviceId: string }) =>
  writeCursor('targets', [state, deviceId]);

function readLast(cursor: string): { state: TargetState; device: string } {
  const [state, device] = readCursor('targets', cursor);
  if (!byAttention.includes(state as TargetState) || typeof device !== 'string') throw noCursor();
  return { state: state as TargetState, device };
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
  const known = await find(db, reach, deploymentId);
  if (!known) return [];
  const rows = await timelineOf(db, reach, deploymentId, deviceId, known.createdAt);
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

async function find(db: Db, reach: Reach, id: string) {
  const [row] = await db
    .select({ createdAt: deployments.createdAt, targetsForgottenAt: deployments.targetsForgottenAt })
    .from(deployments)
    .where(and(eq(deployments.id, id), isThere(reach)));
  return row;
}
