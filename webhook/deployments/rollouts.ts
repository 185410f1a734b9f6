/**
 * Rollouts in and out of the database. The deployment's row is locked from the tally to the last write, so that what `rollout.ts`
 * has allowed is still allowed when it is done, whichever copy does it.
 */
import { eq, isNull, type SQL, sql } from 'drizzle-orm';
import type { ClockJump } from '../clock-jumps.ts';
import type { Context } from '../context.ts';
import { readClock } from '../db/clock.ts';
import { type Db, query, sqlList, sqlState, uniqueViolation } from '../db/query.ts';
import { withPins } from '../devices/groups.ts';
import { everything } from '../devices/reach.ts';
import * as firmware from '../firmware/firmware.ts';
import { observe } from './health/observe.ts';
import { windowDueAt } from './health/windows.ts';
import type { TargetEvent } from './machine.ts';
import { tellOutcome } from './outcome.ts';
import { defaultRollout } from './policy.ts';
import {
  isGateOverdue,
  moveRollout,
  nothing,
  type Rollout,
  type RolloutAction,
  type RolloutEvent,
  stepRollout,
  sum,
  type Tally,
  wakesAt,
} from './rollout.ts';
import { insertTargets, joinTargets, type Meant } from './selection.ts';
import { closedMs, type Look, startTargets } from './starts.ts';
import { failedStates, openStates, type TargetState } from './states.ts';
import { applyToDue, mark } from './store.ts';
import { type DeploymentRow, deployments } from './table.ts';
import { gatherTallies, readTallies, type TallyRow } from './tallies.ts';

/** Targets in memory at a time. */
const batch = 500;
/** Looks that nothing has asked for: for a mark that was never made, such as of a device that another deployment freed meanwhile. */
const fallbackMs = 10_000;

type Row = DeploymentRow;

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

/** Soaks, gates and rates go on as if the clock had not jumped; whoever looks next says when to look again. */
export async function followClock(db: Db, jump: ClockJump): Promise<void> {
  await db.transaction(async (tx) => {
    const rows = await tx
      .select()
      .from(deployments)
      .where(isNull(deployments.finishedAt))
      .orderBy(deployments.id)
      .for('no key update');
    for (const row of rows) {
      const moved = moveRollout(toRollout(row), jump.byMs, jump.now);
      await tx
        .update(deployments)
        .set({ ...toRow(moved), sweptAt: null, nextLookAt: sql`now()` })
        .where(eq(deployments.id, row.id));
    }
  });
}

/** For rows that no machine acts on any more. */
export async function forgetOldMarks(db: Db): Promise<void> {
  await db.execute(sql`
    delete from rollout_marks m using deployments d where d.id = m.deployment_id and d.finished_at is not null`);
}

/** The row must be locked. */
async function run(tx: Db, row: Row, asked: RolloutEvent): Promise<void> {
  const marks = await query<{ joins: boolean }>(
    tx,
    sql`delete from rollout_marks where deployment_id = ${row.id} returning joins`,
  );
  const isTick = asked.type === 'tick';
  const now = await readClock(tx);
  const before = toRollout(row);
  const event: RolloutEvent = isTick
    ? {
        ...asked,
        registryChanged: marks.some((m) => m.joins),
        observed: await observeDue(tx, before, row.id, now),
      }
    : asked;
  const { tallies, nextAttemptAt } = await tally(tx, before, row.id, now);
  const step = stepRollout(before, tallies, event, now);
  let { rollout } = step;
  const look: Look = {
    soonAt: isTick ? null : now,
    opensAt: null,
    frozenUntil: null,
    sweptAt: isTick ? row.sweptAt : null,
  };
  for (const action of step.actions) {
    const done = await act(tx, row, action, tallies, look, now);
    if (done) rollout = stepRollout(rollout, tallies, done, now).rollout;
  }
  await tellOutcome(tx, row, rollout, tallies);
  await save(tx, row.id, rollout, look, look.soonAt ?? nextLook(rollout, tallies, nextAttemptAt, look, now));
}

/** The window of its gate that is due, if one is. */
async function observeDue(tx: Db, rollout: Rollout, id: string, now: number) {
  const dueAt = windowDueAt(rollout);
  return dueAt !== null && dueAt <= now ? observe(tx, id, rollout) : undefined;
}

function nextLook(
  rollout: Rollout,
  tallies: Tally[],
  nextAttemptAt: number | null,
  { opensAt, frozenUntil }: Look,
  now: number,
): number | null {
  const times = [wakesAt(rollout, tallies, now)];
  const closedUntil = frozenUntil ?? opensAt;
  if (rollout.state === 'running' && closedUntil !== null) times.push(Math.min(closedUntil, now + closedMs));
  else if (rollout.state === 'running') {
    times.push(nextAttemptAt);
    if (tallies.some((t) => t.pending > 0)) times.push(now + fallbackMs);
  }
  const known = times.filter((t) => t !== null);
  return known.length ? Math.min(...known) : null;
}

const selectedBy = (tx: Db, { selection, undoes }: Row): Promise<Meant> =>
  withPins(tx, { ...selection, undoes });

/** Answers what the machine must be told of it. */
async function act(
  tx: Db,
  row: Row,
  action: RolloutAction,
  tallies: Tally[],
  look: Look,
  now: number,
): Promise<RolloutEvent | null> {
  const { policy } = toRollout(row);
  switch (action.type) {
    case 'resolve': {
      const image = await firmware.get(tx, row.firmwareId);
      const { gates } = await insertTargets(tx, row.id, image, await selectedBy(tx, row), policy);
      look.soonAt = now;
      return { type: 'resolved', gates };
    }
    case 'join': {
      const image = await firmware.get(tx, row.firmwareId);
      if (await joinTargets(tx, row.id, image, await selectedBy(tx, row), action.wave)) {
        look.soonAt = now;
        look.sweptAt = null;
      }
      return null;
    }
    case 'dispatch':
      return startTargets(
        tx,
        row,
        { ...action, window: policy.window, started: countStarted(tallies) },
        look,
        now,
      );
    case 'hold_back':
      await applyToAll(tx, row, { type: 'hold_back' }, sql`state = 'pending' and wave = ${action.wave}::int`);
      look.soonAt = now;
      return null;
    case 'cancel_targets':
      await applyToAll(tx, row, { type: 'cancel' }, sql`state in ${sqlList(openStates)}`);
      return null;
    case 'retry_targets':
      await applyToAll(tx, row, { type: 'retry' }, sql`state in ${sqlList(failedStates)}`);
      look.soonAt = now;
      return null;
  }
}

/** In batches, so that a hundred thousand targets take no more memory than a thousand. */
async function applyToAll(tx: Db, row: Row, event: TargetEvent, where: SQL): Promise<void> {
  for (let after: string | null = ''; after !== null; ) {
    const due: SQL = sql`
      select deployment_id as "deploymentId", device_id as "deviceId" from targets
      where deployment_id = ${row.id} and device_id > ${after} and ${where}
      order by device_id limit ${batch} for update`;
    ({ last: after } = await applyToDue(tx, event, due));
  }
}

async function tally(
  tx: Db,
  rollout: Rollout,
  id: string,
  now: number,
): Promise<{ tallies: Tally[]; nextAttemptAt: number | null }> {
  await gatherTallies(tx, id);
  const tallies = toTallies(await readTallies(tx, everything, [id]));
  const [retry] = await query<{ at: number | null }>(
    tx,
    sql`select (extract(epoch from min(next_attempt_at)) * 1000)::float8 as at from targets
        where deployment_id = ${id} and state = 'pending' and next_attempt_at > now()`,
  );
  const open = tallies[rollout.wave];
  if (open && isGateOverdue(rollout, now)) Object.assign(open, await countAway(tx, id, rollout.wave));
  return { tallies, nextAttemptAt: retry!.at };
}

function countStarted(tallies: Tally[]): number {
  return sum(tallies, (t) => t.active + t.succeeded + t.failed + t.timedOut);
}

async function countAway(tx: Db, id: string, wave: number): Promise<Pick<Tally, 'unreached' | 'lost'>> {
  const [row] = await query<Pick<Tally, 'unreached' | 'lost'> & Record<string, unknown>>(
    tx,
    sql`select count(*) filter (where t.attempt = 0)::int as unreached, count(*) filter (where t.attempt > 0)::int as lost
        from targets t join devices v on v.id = t.device_id and (not v.reachable or v.blocked)
        where t.deployment_id = ${id} and t.wave = ${wave} and t.state = 'pending'`,
  );
  return row!;
}

export function toTallies(rows: TallyRow[]): Tally[] {
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

export function toRollout(row: Pick<Row, 'policy' | 'startAt' | 'state' | 'finishedAt' | 'memory'>): Rollout {
  return {
    policy: { ...defaultRollout, ...row.policy },
    startAt: row.startAt?.getTime() ?? null,
    state: row.state,
    finishedAt: row.finishedAt?.getTime() ?? null,
    ...row.memory,
  };
}

export function toRow({ policy: _, startAt: __, state, finishedAt, ...memory }: Rollout) {
  return { state, memory, finishedAt: finishedAt === null ? null : new Date(finishedAt) };
}

async function save(
  tx: Db,
  id: string,
  rollout: Rollout,
  { opensAt, frozenUntil, sweptAt }: Look,
  nextLookAt: number | null,
): Promise<void> {
  const finished = rollout.finishedAt !== null;
  await tx
    .update(deployments)
    .set({
      ...toRow(rollout),
      sweptAt,
      windowOpensAt: opensAt === null ? null : new Date(opensAt),
      frozenUntil: frozenUntil === null ? null : new Date(frozenUntil),
      nextLookAt: nextLookAt === null || finished ? null : new Date(nextLookAt),
    })
    .where(eq(deployments.id, id));
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
