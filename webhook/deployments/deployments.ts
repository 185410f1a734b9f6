import { randomUUID } from 'node:crypto';
import { and, count, desc, eq, gte } from 'drizzle-orm';
import { mainComponent } from '#emqx/protocol.ts';
import { record } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import type { Db } from '../db/connect.ts';
import { devices, divisions, regions } from '../devices/table.ts';
import { AppError } from '../errors.ts';
import * as firmware from '../firmware/firmware.ts';
import { firmwares } from '../firmware/table.ts';
import {
  createRollout,
  joinersUntil,
  nothing,
  type Rollout,
  type RolloutState,
  type Tally,
} from './rollout.ts';
import * as rollouts from './rollouts.ts';
import { type StartRequest, toPolicy, type WaveView } from './schema.ts';
import { countByReason } from './selection.ts';
import { type TargetState, targetStates } from './states.ts';
import { deployments, targetEvents, targets } from './table.ts';
import { readTallies, type TallyRow } from './tallies.ts';

/** Resolves the selection (at its start time, if it has one) and starts: commands follow as waves open and devices can be reached. */
export async function start(context: Context, request: StartRequest, actor: string): Promise<Deployment> {
  const { firmwareId, policy: asked, startAt, ...selection } = request;
  const id = randomUUID();
  await context.db.transaction(async (tx) => {
    const image = await firmware.get(tx, firmwareId);
    if (!image.manifest) {
      throw new AppError('firmware_unsigned', 'The firmware has no signed manifest yet: sign it first.');
    }
    const counts = await countByReason(tx, image, selection);
    counts.delete('other_hardware');
    counts.delete('no_component');
    const total = [...counts.values()].reduce((sum, n) => sum + n, 0);
    const policy = toPolicy(asked);
    if (total === 0 && policy.lateJoinersMs === null) {
      throw new AppError('no_targets', `The selection holds no device with a ${describe(image)}.`);
    }
    const starts = startAt === undefined ? null : new Date(startAt);
    await tx.insert(deployments).values({
      id,
      firmwareId,
      selection,
      policy,
      startAt: starts,
      createdBy: actor,
      ...rollouts.toRow(createRollout(policy, starts?.getTime() ?? null)),
    });
    await rollouts.apply(tx, id, { type: 'tick' });
    await record(tx, {
      actor,
      action: 'deployment.start',
      subject: id,
      detail: { firmware: firmwareId, ...selection, targets: total },
    });
  });
  context.wake();
  context.live.changed('deployment', id);
  return get(context.db, id);
}

function describe({ component, hardware }: firmware.Firmware): string {
  return component === mainComponent
    ? `main component of hardware ${hardware}`
    : `${component} of hardware ${hardware}`;
}

export type OperatorEvent = 'pause' | 'resume' | 'cancel' | 'retry_failed';
const finishedFor: Record<OperatorEvent, RolloutState[]> = {
  pause: ['completed', 'cancelled'],
  resume: ['completed', 'cancelled'],
  cancel: ['completed', 'cancelled'],
  retry_failed: ['cancelled'],
};

/**
 * What an operator wants of it. The same again changes nothing. After `cancel` or `pause` has committed nothing more is started; by
 * `cancel`, devices that hold the command are told to stop. Errors: not_found, deployment_finished.
 */
export async function operate(
  context: Context,
  id: string,
  event: OperatorEvent,
  actor: string,
): Promise<Deployment> {
  await context.db.transaction(async (tx) => {
    const before = await rollouts.apply(tx, id, { type: event });
    if (!before) throw new AppError('not_found', 'There is no such deployment.');
    if (finishedFor[event].includes(before.state)) {
      throw new AppError('deployment_finished', `The deployment is ${before.state} already.`);
    }
    await record(tx, { actor, action: `deployment.${event}`, subject: id });
  });
  context.wake();
  context.live.changed('deployment', id);
  return get(context.db, id);
}

const summaryColumns = {
  id: deployments.id,
  state: deployments.state,
  createdBy: deployments.createdBy,
  createdAt: deployments.createdAt,
  finishedAt: deployments.finishedAt,
  startAt: deployments.startAt,
  policy: deployments.policy,
  memory: deployments.memory,
  selection: deployments.selection,
  windowOpensAt: deployments.windowOpensAt,
  firmware: {
    id: firmwares.id,
    name: firmwares.name,
    version: firmwares.version,
    fileName: firmwares.fileName,
    sizeBytes: firmwares.sizeBytes,
    component: firmwares.component,
    hardware: firmwares.hardware,
  },
};

export type Deployment = Awaited<ReturnType<typeof summarize>>[number];

export async function get(db: Db, id: string): Promise<Deployment> {
  const [row] = await summarize(db, await summaries(db).where(eq(deployments.id, id)));
  if (!row) throw noDeployment();
  return row;
}

function noDeployment(): AppError {
  return new AppError('not_found', 'There is no such deployment.');
}

/** Null: there is no such deployment. */
async function createdAtOf(db: Db, id: string): Promise<Date | null> {
  const [row] = await db
    .select({ createdAt: deployments.createdAt })
    .from(deployments)
    .where(eq(deployments.id, id));
  return row?.createdAt ?? null;
}

export async function list(
  db: Db,
  paging: { limit?: number | undefined; offset: number },
): Promise<{ items: Deployment[]; total: number }> {
  const rows = await summaries(db)
    .orderBy(desc(deployments.createdAt), deployments.id)
    .limit(paging.limit ?? 1000)
    .offset(paging.offset);
  const [total] = await db.select({ value: count() }).from(deployments);
  return { items: await summarize(db, rows), total: total!.value };
}

export async function listForFirmware(db: Db, firmwareId: string): Promise<Deployment[]> {
  const rows = await summaries(db)
    .where(eq(deployments.firmwareId, firmwareId))
    .orderBy(desc(deployments.createdAt))
    .limit(100);
  return summarize(db, rows);
}

function summaries(db: Db) {
  return db
    .select(summaryColumns)
    .from(deployments)
    .innerJoin(firmwares, eq(firmwares.id, deployments.firmwareId))
    .$dynamic();
}

async function summarize(db: Db, rows: Awaited<ReturnType<typeof summaries>>) {
  if (rows.length === 0) return [];
  const tallies = await readTallies(
    db,
    rows.map((row) => row.id),
  );
  return rows.map((row) => {
    const mine = tallies.filter((t) => t.id === row.id);
    const counts = Object.fromEntries(targetStates.map((s) => [s, 0])) as Record<TargetState, number>;
    for (const t of mine) counts[t.state] += t.n;
    const done = mine.filter((t) => t.state === 'succeeded');
    const timed = sum(done, (t) => t.timed);
    const { succeeded } = counts;
    const ended = succeeded + counts.failed + counts.rolled_back + counts.timed_out;
    const { memory, windowOpensAt, ...rest } = row;
    const until = joinersUntil({ policy: row.policy, resolvedAt: memory.resolvedAt });
    return {
      ...rest,
      joinersUntil: until === null ? null : new Date(until).toISOString(),
      windowOpensAt: row.state === 'running' ? (windowOpensAt?.toISOString() ?? null) : null,
      waves: describeWaves({ ...memory, state: row.state }, rollouts.toTallies(mine)),
      halted: memory.halted && { ...memory.halted, at: new Date(memory.halted.at).toISOString() },
      total: sum(mine, (t) => t.n),
      counts,
      figures: {
        successRate: ended ? succeeded / ended : null,
        meanDownloadMs: timed ? sum(done, (t) => t.downloadMs) / timed : null,
        resumedDownloads: sum(mine, (t) => t.resumed),
      },
    };
  });
}

function sum(rows: TallyRow[], of: (row: TallyRow) => number): number {
  return rows.reduce((total, row) => total + of(row), 0);
}

export function present(d: Deployment) {
  return {
    ...d,
    createdAt: d.createdAt.toISOString(),
    startAt: d.startAt?.toISOString() ?? null,
    finishedAt: d.finishedAt?.toISOString() ?? null,
  };
}

function describeWaves(
  rollout: Pick<Rollout, 'state' | 'gates' | 'wave' | 'soakSince'>,
  tallies: Tally[],
): WaveView[] {
  return (rollout.gates ?? []).map((gate, wave) => {
    const { left, timedOut, unreached: _, ...tally } = tallies[wave] ?? nothing;
    const soaks = wave === rollout.wave && rollout.soakSince !== null;
    const passed = wave < rollout.wave || rollout.state === 'completed';
    return {
      ...gate,
      ...tally,
      timedOut,
      skipped: left,
      total: tally.pending + tally.active + tally.succeeded + tally.failed + timedOut + left,
      state: passed ? 'passed' : soaks ? 'soaking' : wave === rollout.wave ? 'open' : 'waiting',
      soakUntil: soaks ? new Date(rollout.soakSince! + gate.soakMs).toISOString() : null,
    };
  });
}

/** Those that need attention first: failures, then what is under way, then what waits, then what is done. */
const attention: TargetState[] = [
  'failed',
  'rolled_back',
  'timed_out',
  'cancelling',
  'installing',
  'downloading',
  'accepted',
  'sent',
  'pending',
  'cancelled',
  'skipped',
  'succeeded',
];

interface TargetFilter {
  state?: TargetState | undefined;
  limit?: number | undefined;
  offset: number;
}

/** One snapshot for all its statements: a target that changes its state meanwhile would be on the page twice, or not at all. */
export async function listTargets(db: Db, deploymentId: string, filter: TargetFilter) {
  return db.transaction((tx) => readTargets(tx, deploymentId, filter), {
    isolationLevel: 'repeatable read',
    accessMode: 'read only',
  });
}

async function readTargets(db: Db, deploymentId: string, filter: TargetFilter) {
  if (!(await createdAtOf(db, deploymentId))) throw noDeployment();
  const ofState = (state: TargetState) =>
    and(eq(targets.deploymentId, deploymentId), eq(targets.state, state));
  const counts = new Map<TargetState, number>();
  for (const { state, n } of await readTallies(db, [deploymentId])) {
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
  for (const state of attention) {
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
      updatedAt: target.updatedAt.toISOString(),
    })),
    total: [...counts.values()].reduce((total, n) => total + n, 0),
  };
}

/** A device's timeline within a deployment, oldest first. */
export async function listTargetEvents(db: Db, deploymentId: string, deviceId: string) {
  const createdAt = await createdAtOf(db, deploymentId);
  if (!createdAt) return [];
  const rows = await timelineOf(db, deploymentId, deviceId, createdAt);
  return rows.map(({ at, event, state, detail }) => ({ at: at.toISOString(), event, state, detail }));
}

/** Days before the deployment was made are not opened; an hour for clocks that differ. */
export function timelineOf(db: Db, deploymentId: string, deviceId: string, createdAt: Date) {
  const first = new Date(createdAt.getTime() - 3_600_000);
  const { deploymentId: deployment, deviceId: device, at, id } = targetEvents;
  return db
    .select()
    .from(targetEvents)
    .where(and(eq(device, deviceId), eq(deployment, deploymentId), gte(at, first)))
    .orderBy(id)
    .limit(1000);
}
