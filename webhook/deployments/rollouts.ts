/**
 * Rollouts in and out of the database. The deployment's row is locked from the tally to the last write, so that what `rollout.ts`
 * has allowed is still allowed when it is done, whichever copy does it.
 */
import { and, eq, type SQL, sql } from 'drizzle-orm';
import type { Context } from '../context.ts';
import { type Db, query, sqlState, uniqueViolation } from '../db/connect.ts';
import * as firmware from '../firmware/firmware.ts';
import type { TargetEvent } from './machine.ts';
import { defaultRollout } from './policy.ts';
import {
  nothing,
  type Rollout,
  type RolloutAction,
  type RolloutEvent,
  stepRollout,
  type Tally,
  wakesAt,
} from './rollout.ts';
import { insertTargets } from './selection.ts';
import type { TargetState } from './states.ts';
import { applyToDue, mark } from './store.ts';
import { deployments } from './table.ts';

const batch = 1000;
/** Looks that nothing has asked for: for a mark that was never made, such as of a device that another deployment freed meanwhile. */
const fallbackMs = 10_000;
const soonMs = 500;

type Row = typeof deployments.$inferSelect;

/** Looks at one rollout that is due; answers whether there was one. */
export async function advance(context: Context): Promise<boolean> {
  try {
    const id = await context.db.transaction(async (tx) => {
      const [due] = await query<{ id: string }>(
        tx,
        sql`select id from deployments d where finished_at is null
              and (next_look_at <= now() or exists (select 1 from rollout_marks m where m.deployment_id = d.id))
            order by random() limit 1 for no key update skip locked`,
      );
      if (!due) return null;
      const [row] = await tx.select().from(deployments).where(eq(deployments.id, due.id));
      await run(tx, row!, { type: 'tick' });
      return due.id;
    });
    if (id) context.live.changed('deployment', id);
    return id !== null;
  } catch (error) {
    // Another copy has just started the other of two updates of one device.
    if (sqlState(error) === uniqueViolation) return false;
    throw error;
  }
}

/** Applies an operator's event; waits for whoever looks at the rollout. Null when there is no such deployment. */
export async function apply(tx: Db, id: string, event: RolloutEvent): Promise<Rollout | null> {
  const [row] = await tx.select().from(deployments).where(eq(deployments.id, id)).for('no key update');
  if (!row) return null;
  const before = toRollout(row);
  await run(tx, row, event);
  return before;
}

/** For rows that no machine acts on any more. */
export async function forgetOldMarks(db: Db): Promise<void> {
  await db.execute(sql`
    delete from rollout_marks m using deployments d where d.id = m.deployment_id and d.finished_at is not null`);
}

/** The row must be locked. */
async function run(tx: Db, row: Row, event: RolloutEvent): Promise<void> {
  await tx.execute(sql`delete from rollout_marks where deployment_id = ${row.id}`);
  const now = await clock(tx);
  const { tallies, nextAttemptAt } = await tally(tx, row.id);
  const step = stepRollout(toRollout(row), tallies, event, now);
  let { rollout } = step;
  let soon = event.type === 'tick' ? null : now;
  for (const action of step.actions) {
    const done = await act(tx, row, action, now);
    if (done.event) rollout = stepRollout(rollout, tallies, done.event, now).rollout;
    if (done.soonMs !== null) soon = now + done.soonMs;
  }
  await save(tx, row.id, rollout, soon ?? nextLook(rollout, tallies, nextAttemptAt, now));
}

function nextLook(
  rollout: Rollout,
  tallies: Tally[],
  nextAttemptAt: number | null,
  now: number,
): number | null {
  const times = [wakesAt(rollout, tallies)];
  if (rollout.state === 'running') {
    times.push(nextAttemptAt);
    if (tallies.some((t) => t.pending > 0)) times.push(now + fallbackMs);
  }
  const known = times.filter((t) => t !== null);
  return known.length ? Math.min(...known) : null;
}

/** `soonMs`: there may be more of this to do. */
async function act(
  tx: Db,
  row: Row,
  action: RolloutAction,
  now: number,
): Promise<{ event: RolloutEvent | null; soonMs: number | null }> {
  switch (action.type) {
    case 'resolve': {
      const image = await firmware.get(tx, row.firmwareId);
      const { gates } = await insertTargets(tx, row.id, image, row.selection, toRollout(row).policy.waves);
      return { event: { type: 'resolved', gates }, soonMs: 0 };
    }
    case 'dispatch': {
      await supersede(tx, row, now);
      const limit = Math.min(action.limit, batch);
      const { claimed } = await applyToDue(
        tx,
        { type: 'dispatch' },
        startable(row, action.upToWave, limit),
        now,
      );
      return {
        event: { type: 'dispatched', count: claimed },
        soonMs: claimed === 0 ? null : claimed === limit ? 0 : soonMs,
      };
    }
    case 'cancel_targets':
      await applyToAll(tx, row, { type: 'cancel' }, openSql, now);
      return { event: null, soonMs: null };
    case 'retry_targets':
      await applyToAll(tx, row, { type: 'retry' }, sql`state in ('failed', 'rolled_back', 'timed_out')`, now);
      return { event: null, soonMs: 0 };
  }
}

const openSql = sql`state in ('pending', 'sent', 'accepted', 'downloading', 'installing', 'cancelling')`;

/**
 * Pending targets whose device can be reached. One waits until nothing else of that component is active or pending: an older one
 * must have been superseded first, or it would be sent after the newer and undo it. Two conditions, not one with OR: each has an
 * index of its own.
 */
function startable(row: Row, upToWave: number, limit: number): SQL {
  return sql`
    select t.deployment_id as "deploymentId", t.device_id as "deviceId"
    from targets t join devices v on v.id = t.device_id and v.reachable and not v.blocked
    where t.deployment_id = ${row.id} and t.state = 'pending' and t.wave <= ${upToWave}
      and (t.next_attempt_at is null or t.next_attempt_at <= now())
      and not exists (
        select 1 from targets o where o.device_id = t.device_id and o.component = t.component
          and o.state in ('sent', 'accepted', 'downloading', 'installing', 'cancelling'))
      and not exists (
        select 1 from targets o join deployments p on p.id = o.deployment_id and p.state = 'running'
        where o.device_id = t.device_id and o.component = t.component and o.deployment_id <> t.deployment_id
          and o.state = 'pending')
    order by t.wave, t.device_id limit ${limit} for update of t skip locked`;
}

/**
 * Where a newer deployment waits for, works on or has updated the same component of a device, the older one is not sent any more,
 * however long it was paused.
 */
async function supersede(tx: Db, row: Row, now: number): Promise<void> {
  const [others] = await query<{ n: number }>(
    tx,
    sql`select count(*)::int as n from deployments
        where id <> ${row.id} and (finished_at is null or created_at > ${row.createdAt.toISOString()}::timestamptz)`,
  );
  if (!others?.n) return;
  const due = sql`
    select t.deployment_id as "deploymentId", t.device_id as "deviceId"
    from targets t join deployments d on d.id = t.deployment_id
      join targets o on o.device_id = t.device_id and o.component = t.component
      join deployments n on n.id = o.deployment_id and (n.created_at, n.id) > (d.created_at, d.id)
    where t.state = 'pending'
      and (o.state in ('sent', 'accepted', 'downloading', 'installing', 'cancelling', 'succeeded')
        or (o.state = 'pending' and n.state = 'running'))
      and (t.deployment_id = ${row.id} or o.deployment_id = ${row.id})
    order by t.deployment_id, t.device_id limit ${batch} for update of t skip locked`;
  await applyToDue(tx, { type: 'supersede' }, due, now);
}

/** In batches, so that a hundred thousand targets take no more memory than a thousand. */
async function applyToAll(tx: Db, row: Row, event: TargetEvent, where: SQL, now: number): Promise<void> {
  for (let after: string | null = ''; after !== null; ) {
    const due: SQL = sql`
      select deployment_id as "deploymentId", device_id as "deviceId" from targets
      where deployment_id = ${row.id} and device_id > ${after} and ${where}
      order by device_id limit ${batch} for update`;
    ({ last: after } = await applyToDue(tx, event, due, now));
  }
}

/** The database's clock is the one that all copies share. */
async function clock(tx: Db): Promise<number> {
  const [row] = await query<{ now: number }>(
    tx,
    sql`select (extract(epoch from clock_timestamp()) * 1000)::float8 as now`,
  );
  return Math.floor(Number(row!.now));
}

async function tally(tx: Db, id: string): Promise<{ tallies: Tally[]; nextAttemptAt: number | null }> {
  const rows = await query<{
    wave: number;
    state: TargetState;
    n: number;
    silent: number;
    next: number | null;
  }>(
    tx,
    sql`select wave, state, count(*)::int as n,
          count(*) filter (where ${isSilent})::int as silent,
          (extract(epoch from min(next_attempt_at) filter (where state = 'pending' and next_attempt_at > now())) * 1000)::float8 as next
        from targets where deployment_id = ${id} group by wave, state`,
  );
  const next = rows.flatMap((r) => (r.next === null ? [] : [Number(r.next)]));
  return { tallies: toTallies(rows), nextAttemptAt: next.length ? Math.min(...next) : null };
}

/** Condition on `targets`: its device got the command and was not heard of, for good or until the next attempt. */
export const isSilent = sql`(state = 'timed_out' or (state = 'pending' and error_code = 'timed_out' and attempt > attempts_forgiven))`;

export function toTallies(rows: { wave: number; state: TargetState; n: number; silent: number }[]): Tally[] {
  const waves = Math.max(-1, ...rows.map((r) => r.wave)) + 1;
  const tallies = Array.from({ length: waves }, () => ({ ...nothing }));
  for (const { wave, state, n, silent } of rows.filter((r) => r.wave >= 0)) {
    const tally = tallies[wave]!;
    tally[tallied[state]] += n;
    tally.silent += silent;
  }
  return tallies;
}

const tallied: Record<TargetState, Exclude<keyof Tally, 'silent'>> = {
  pending: 'pending',
  sent: 'active',
  accepted: 'active',
  downloading: 'active',
  installing: 'active',
  cancelling: 'active',
  succeeded: 'succeeded',
  failed: 'failed',
  rolled_back: 'failed',
  timed_out: 'timedOut',
  cancelled: 'left',
  skipped: 'left',
};

function toRollout(row: Row): Rollout {
  return {
    policy: { ...defaultRollout, ...row.policy },
    startAt: row.startAt?.getTime() ?? null,
    state: row.state,
    finishedAt: row.finishedAt?.getTime() ?? null,
    ...row.memory,
  };
}

export function toRow(rollout: Rollout) {
  const { gates, wave, soakSince, forgiven, halted, recent } = rollout;
  return {
    state: rollout.state,
    memory: { gates, wave, soakSince, forgiven, halted, recent },
    finishedAt: rollout.finishedAt === null ? null : new Date(rollout.finishedAt),
  };
}

async function save(tx: Db, id: string, rollout: Rollout, nextLookAt: number | null): Promise<void> {
  const finished = rollout.finishedAt !== null;
  await tx
    .update(deployments)
    .set({
      ...toRow(rollout),
      nextLookAt: nextLookAt === null || finished ? null : new Date(nextLookAt),
    })
    .where(and(eq(deployments.id, id)));
  // Deployments that had to wait for its targets may go on.
  if (finished) {
    const waiting = await tx
      .select({ id: deployments.id })
      .from(deployments)
      .where(sql`finished_at is null and id <> ${id}`);
    if (waiting.length)
      await mark(
        tx,
        waiting.map((d) => d.id),
      );
  }
}
