import { randomUUID } from 'node:crypto';
import { and, count, desc, eq, inArray, sql } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import { type Db, query } from '../db/connect.ts';
import { chosen } from '../devices/devices.ts';
import { devices, divisions, regions } from '../devices/table.ts';
import { AppError } from '../errors.ts';
import * as firmware from '../firmware/firmware.ts';
import { firmwares } from '../firmware/table.ts';
import { defaultPolicy } from './policy.ts';
import type { Selection } from './schema.ts';
import { openStates, type TargetState, targetStates } from './states.ts';
import { Fold, lockTargets } from './store.ts';
import { deployments, targetEvents, targets } from './table.ts';

export interface DryRun {
  targets: number;
  excluded: { device: string; reason: 'other_hardware' }[];
  egressBytes: number;
}

/** At most this many exclusions are listed one by one. */
const excludedShown = 1_000;

/** Who would get it and who not, before anything is written or sent. */
export async function dryRun(db: Db, selection: Selection): Promise<DryRun> {
  const image = await firmware.get(db, selection.firmwareId);
  const matches = eq(devices.hardware, image.hardware);
  const [included] = await db
    .select({ value: count() })
    .from(devices)
    .where(and(chosen(selection), matches));
  const excluded = await db
    .select({ device: devices.id })
    .from(devices)
    .where(and(chosen(selection), sql`not ${matches}`))
    .orderBy(devices.id)
    .limit(excludedShown);
  return {
    targets: included!.value,
    excluded: excluded.map(({ device }) => ({ device, reason: 'other_hardware' })),
    egressBytes: included!.value * image.sizeBytes,
  };
}

/** Resolves the selection and starts: targets are rows at once, commands follow as devices can be reached. */
export async function start(context: Context, selection: Selection, actor: string): Promise<Deployment> {
  const id = randomUUID();
  await context.db.transaction(async (tx) => {
    const image = await firmware.get(tx, selection.firmwareId);
    if (!image.manifest) {
      throw new AppError('firmware_unsigned', 'The firmware has no signed manifest yet: sign it first.');
    }
    const { firmwareId, ...chosenBy } = selection;
    await tx.insert(deployments).values({
      id,
      firmwareId,
      state: 'running',
      selection: chosenBy,
      policy: defaultPolicy,
      createdBy: actor,
    });
    const inserted = await tx
      .insert(targets)
      .select(
        tx
          .select({
            deploymentId: sql`${id}::uuid`.as('deployment_id'),
            deviceId: devices.id,
            component: sql`${image.component}::text`.as('component'),
            state: sql`'pending'`.as('state'),
            attempt: sql`0`.as('attempt'),
            cancelRequested: sql`false`.as('cancel_requested'),
            receivedBytes: sql`0`.as('received_bytes'),
            totalBytes: sql`${image.sizeBytes}::bigint`.as('total_bytes'),
            bytesPerSecond: sql`null::double precision`.as('bytes_per_second'),
            errorCode: sql`null`.as('error_code'),
            errorMessage: sql`null`.as('error_message'),
            stats: sql`null::jsonb`.as('stats'),
            nextAttemptAt: sql`null::timestamptz`.as('next_attempt_at'),
            deadlineAt: sql`null::timestamptz`.as('deadline_at'),
            updatedAt: sql`now()`.as('updated_at'),
          })
          .from(devices)
          .where(and(chosen(selection), eq(devices.hardware, image.hardware))),
      )
      .returning({ deviceId: targets.deviceId });
    if (inserted.length === 0) {
      throw new AppError('no_targets', `The selection holds no device of hardware ${image.hardware}.`);
    }
    await record(tx, {
      actor,
      action: 'deployment.start',
      subject: id,
      detail: { firmware: firmwareId, ...chosenBy, targets: inserted.length },
    });
  });
  context.wake();
  context.live.changed('deployment', id);
  return get(context.db, id);
}

/** Nothing is dispatched after this has committed; devices that hold the command are told to stop. */
export async function cancel(context: Context, id: string, actor: string): Promise<Deployment> {
  await context.db.transaction(async (tx) => {
    const updated = await tx
      .update(deployments)
      .set({ state: 'cancelled', finishedAt: new Date() })
      .where(and(eq(deployments.id, id), eq(deployments.state, 'running')))
      .returning({ id: deployments.id });
    if (updated.length === 0) {
      const { state } = await get(tx, id);
      throw new AppError('deployment_finished', `The deployment is ${state} already.`);
    }
    const locked = await lockTargets(
      tx,
      and(eq(targets.deploymentId, id), inArray(targets.state, [...openStates])),
    );
    const fold = new Fold(locked, Date.now());
    for (const target of locked) fold.apply(target, { type: 'cancel' });
    await fold.save(tx);
    await record(tx, { actor, action: 'deployment.cancel', subject: id });
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
  firmware: {
    id: firmwares.id,
    name: firmwares.name,
    version: firmwares.version,
    fileName: firmwares.fileName,
    sizeBytes: firmwares.sizeBytes,
  },
};

export type Deployment = Awaited<ReturnType<typeof summarize>>[number];

export async function get(db: Db, id: string): Promise<Deployment> {
  const [row] = await summarize(db, await summaries(db).where(eq(deployments.id, id)));
  if (!row) throw new AppError('not_found', 'There is no such deployment.');
  return row;
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
  const ids = JSON.stringify(rows.map((row) => row.id));
  const tallies = await query<{
    id: string;
    state: TargetState;
    n: number;
    ms: number | null;
    resumed: number;
  }>(
    db,
    sql`select deployment_id as id, state, count(*)::int as n,
          avg((stats->>'downloadMs')::float8) as ms, count(*) filter (where (stats->>'resumes')::int > 0)::int as resumed
        from targets
        where deployment_id in (select value::uuid from jsonb_array_elements_text(${ids}::jsonb))
        group by 1, 2`,
  );
  return rows.map((row) => {
    const mine = tallies.filter((t) => t.id === row.id);
    const counts = Object.fromEntries(targetStates.map((s) => [s, 0])) as Record<TargetState, number>;
    for (const t of mine) counts[t.state] = t.n;
    const { succeeded } = counts;
    const ended = succeeded + counts.failed + counts.rolled_back + counts.timed_out;
    return {
      ...row,
      total: mine.reduce((sum, t) => sum + t.n, 0),
      counts,
      figures: {
        successRate: ended ? succeeded / ended : null,
        meanDownloadMs: mine.find((t) => t.state === 'succeeded')?.ms ?? null,
        resumedDownloads: mine.reduce((sum, t) => sum + t.resumed, 0),
      },
    };
  });
}

export function present(d: Deployment) {
  return { ...d, createdAt: d.createdAt.toISOString(), finishedAt: d.finishedAt?.toISOString() ?? null };
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

export async function listTargets(
  db: Db,
  deploymentId: string,
  filter: { state?: TargetState | undefined; limit?: number | undefined; offset: number },
) {
  await get(db, deploymentId);
  const where = and(
    eq(targets.deploymentId, deploymentId),
    filter.state ? eq(targets.state, filter.state) : undefined,
  );
  const order = sql.join(
    attention.map((state, rank) => sql`when ${state} then ${sql.raw(String(rank))}`),
    sql` `,
  );
  const rows = await db
    .select({ target: targets, deviceName: devices.name, region: regions.name, division: divisions.name })
    .from(targets)
    .innerJoin(devices, eq(devices.id, targets.deviceId))
    .leftJoin(regions, eq(regions.id, devices.regionId))
    .leftJoin(divisions, eq(divisions.id, devices.divisionId))
    .where(where)
    .orderBy(sql`case ${targets.state} ${order} end`, targets.deviceId)
    .limit(filter.limit ?? 1000)
    .offset(filter.offset);
  const [total] = await db.select({ value: count() }).from(targets).where(where);
  return {
    items: rows.map(({ target, deviceName, region, division }) => ({
      device: target.deviceId,
      deviceName,
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
    total: total!.value,
  };
}

/** A device's timeline within a deployment, oldest first. */
export async function listTargetEvents(db: Db, deploymentId: string, deviceId: string) {
  const rows = await db
    .select()
    .from(targetEvents)
    .where(and(eq(targetEvents.deploymentId, deploymentId), eq(targetEvents.deviceId, deviceId)))
    .orderBy(targetEvents.id)
    .limit(1000);
  return rows.map(({ at, event, state, detail }) => ({ at: at.toISOString(), event, state, detail }));
}
