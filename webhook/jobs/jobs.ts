/** Acts on many devices: chosen at once, done in the background, a batch a transaction. */
import { and, count, eq, getTableColumns, inArray, isNotNull, type SQL, sql } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import { down, Order, type Paging, readPage, up } from '../db/keyset.ts';
import { type Db, foreignKeyViolation, isPermanent, query, sqlState } from '../db/query.ts';
import { type Chosen, chosen } from '../devices/chosen.ts';
import * as groups from '../devices/groups.ts';
import { findKnown } from '../devices/known.ts';
import { missing } from '../devices/many.ts';
import { type Reach, reachOf } from '../devices/reach.ts';
import { devices } from '../devices/table.ts';
import { AppError } from '../errors.ts';
import { type ActName, acts, type Failures } from './acts.ts';
import { jobDevices, jobs } from './table.ts';

export type Job = typeof jobs.$inferSelect;

/** So many devices are locked at a time, and what is to be sent to them is sent before the next. */
const batch = 500;
const keptDays = 90;
const newest = new Order('jobs', [down(jobs.createdAt), down(jobs.id)]);
const byDevice = new Order('failures', [up(jobDevices.deviceId)]);

/**
 * Chooses its devices now: who comes to match later is not among them. Throws `no_match`, and for what would take devices out of the
 * reach `unknown_reference` or `beyond_reach`.
 */
export async function start(
  context: Context,
  reach: Reach,
  act: ActName,
  args: Record<string, unknown>,
  asked: Chosen,
  actor: string,
): Promise<Job> {
  acts[act].keeps?.(reach, args as never);
  const job = await context.db.transaction(async (tx) => {
    const selection = await groups.pin(tx, reach, asked);
    const [made] = await tx.insert(jobs).values({ act, args, selection, createdBy: actor }).returning();
    const [added] = await query<{ n: number }>(
      tx,
      sql`with added as (
            insert into job_devices (job_id, device_id)
            select ${made!.id}::uuid, ${devices.id} from ${devices} where ${chosen(selection, sql`true`)} returning 1)
          select count(*)::int as n from added`,
    );
    if (added!.n === 0) throw new AppError('no_match', 'No device is chosen.');
    const [job] = await tx.update(jobs).set({ total: added!.n }).where(eq(jobs.id, made!.id)).returning();
    const detail = { act, ...args, ...selection, total: added!.n };
    await record(tx, { actor, action: 'job.start', subject: job!.id, detail });
    return job!;
  });
  context.wake();
  context.live.changed('job', job.id);
  return job;
}

/** Stops it after the batch that is under way; what is done stays. Throws `not_found`, `job_finished`. */
export async function cancel(context: Context, reach: Reach, id: string, actor: string): Promise<Job> {
  const job = await context.db.transaction(async (tx) => {
    const [found] = await tx
      .select()
      .from(jobs)
      .where(and(eq(jobs.id, id), isThere(reach)))
      .for('update');
    if (!found) throw notFound();
    if (found.state !== 'running') throw new AppError('job_finished', `The job is ${found.state} already.`);
    await tx.delete(jobDevices).where(and(eq(jobDevices.jobId, id), sql`error is null`));
    return finish(tx, found, 'cancelled', actor);
  });
  context.live.changed('job', id);
  return job;
}

/** One batch of one job. A step of `background.ts`: a copy that is killed in it leaves the batch to the next. */
export async function workJobs(context: Context): Promise<boolean> {
  const done = await context.db.transaction(async (tx) => {
    const [due] = await query<{ id: string }>(
      tx,
      sql`select id from jobs where state = 'running' order by random() limit 1 for update skip locked`,
    );
    if (!due) return null;
    const [job] = await tx.select().from(jobs).where(eq(jobs.id, due.id));
    return runBatch(tx, job!);
  });
  if (!done) return false;
  const { job, taken, failures } = done;
  const act = acts[job.act];
  const changed = taken.filter((id) => !failures.has(id));
  await act.after?.(context, changed);
  context.live.changed('job', job.id);
  context.live.changed(act.tells, ...changed);
  return true;
}

async function runBatch(tx: Db, job: Job) {
  const rows = await query<{ id: string }>(
    tx,
    sql`delete from job_devices where job_id = ${job.id}::uuid and device_id in (
          select device_id from job_devices where job_id = ${job.id}::uuid and error is null
          order by device_id limit ${batch})
        returning device_id as id`,
  );
  const taken = rows.map(({ id }) => id).sort();
  const failures = taken.length > 0 ? await apply(tx, job, taken) : new Map();
  if (failures.size > 0)
    await tx
      .insert(jobDevices)
      .values([...failures].map(([deviceId, error]) => ({ jobId: job.id, deviceId, error })));
  const counts = { done: job.done + taken.length - failures.size, failed: job.failed + failures.size };
  await tx.update(jobs).set(counts).where(eq(jobs.id, job.id));
  if (taken.length < batch) await finish(tx, { ...job, ...counts }, 'done', job.createdBy);
  return { job, taken, failures };
}

/** What can never succeed fails its batch and not the job. */
async function apply(tx: Db, job: Job, taken: string[]): Promise<Failures> {
  // Some may have been moved beyond the reach of who asked.
  const reach = reachOf(job.selection.reach ?? null);
  const known = await findKnown(tx, reach, taken);
  const gone = new Map(missing(taken, known));
  if (known.length === 0) return gone;
  try {
    const ids = known.map(({ id }) => id).sort();
    // The act has checked its arguments when the job was asked for.
    return new Map([...gone, ...(await applyWithin(tx, job, reach, ids))]);
  } catch (error) {
    if (!isPermanent(error)) throw error;
    const reason = sqlState(error) === foreignKeyViolation ? 'unknown_reference' : 'refused';
    return new Map([...gone, ...known.map(({ id }) => [id, reason] as const)]);
  }
}

class Leaving extends Error {
  readonly ids: string[];
  constructor(ids: string[]) {
    super();
    this.ids = ids;
  }
}

/** A device that the act would take out of the reach of who asked stays as it is. */
async function applyWithin(tx: Db, job: Job, reach: Reach, ids: string[]): Promise<Failures> {
  try {
    return await tx.transaction(async (inner) => {
      const failures = await acts[job.act].apply(inner, ids, job.args as never, job.createdBy);
      const leaving = reach.limits ? missing(ids, await findKnown(inner, reach, ids)) : [];
      if (leaving.length > 0) throw new Leaving(leaving.map(([id]) => id));
      return failures;
    });
  } catch (error) {
    if (!(error instanceof Leaving)) throw error;
    const leaving = new Map(error.ids.map((id) => [id, 'beyond_reach' as const]));
    const rest = ids.filter((id) => !leaving.has(id));
    if (rest.length === 0) return leaving;
    return new Map([...(await applyWithin(tx, job, reach, rest)), ...leaving]);
  }
}

async function finish(tx: Db, job: Job, state: 'done' | 'cancelled', actor: string): Promise<Job> {
  const [row] = await tx
    .update(jobs)
    .set({ state, finishedAt: sql`now()` })
    .where(eq(jobs.id, job.id))
    .returning();
  const detail = { act: job.act, total: job.total, done: job.done, failed: job.failed };
  const action = state === 'done' ? 'job.finish' : 'job.cancel';
  await record(tx, { actor, action, subject: job.id, detail });
  return row!;
}

/** Newest first. */
export async function list(
  db: Db,
  reach: Reach,
  paging: Paging,
): Promise<{ items: Job[]; total: number; next: string | null }> {
  const { rows: items, next } = await readPage(newest, paging, (behind, limit, offset) =>
    db
      .select({ ...getTableColumns(jobs), key: newest.key })
      .from(jobs)
      .where(and(isThere(reach), behind))
      .orderBy(...newest.by)
      .limit(limit)
      .offset(offset),
  );
  const [total] = await db.select({ value: count() }).from(jobs).where(isThere(reach));
  return { items, total: total!.value, next };
}

export async function get(db: Db, reach: Reach, id: string): Promise<Job> {
  const [job] = await db
    .select()
    .from(jobs)
    .where(and(eq(jobs.id, id), isThere(reach)));
  if (!job) throw notFound();
  return job;
}

/** By device. */
export async function listFailures(db: Db, reach: Reach, id: string, paging: Paging) {
  const { failed } = await get(db, reach, id);
  const { deviceId: device, error } = getTableColumns(jobDevices);
  const where: SQL = and(eq(jobDevices.jobId, id), isNotNull(jobDevices.error))!;
  const { rows, next } = await readPage(byDevice, paging, (behind, limit, offset) =>
    db
      .select({ device, error, key: byDevice.key })
      .from(jobDevices)
      .where(and(where, behind))
      .orderBy(...byDevice.by)
      .limit(limit)
      .offset(offset),
  );
  return { items: rows.map((row) => ({ device: row.device, error: row.error! })), total: failed, next };
}

export async function forgetOld(db: Db): Promise<void> {
  await db.execute(sql`delete from jobs where finished_at < now() - make_interval(days => ${keptDays})`);
}

/** Those of the ids that are there. */
export async function findThere(db: Db, reach: Reach, ids: string[]): Promise<{ id: string }[]> {
  return db
    .select({ id: jobs.id })
    .from(jobs)
    .where(and(inArray(jobs.id, ids), isThere(reach)));
}

/** What is done leaves no row of its devices: to a limited reach, a job is there that was asked for with no wider one. */
export function isThere(reach: Reach): SQL {
  return reach.contains(sql`jobs.selection->'reach'`);
}

function notFound(): AppError {
  return new AppError('not_found', 'There is no such job.');
}
