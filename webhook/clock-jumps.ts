/**
 * The database's clock may jump: it was set right, or its machine slept. Deadlines, back-offs and the times of rollouts are spans that
 * were written down as times, so they move with it; else an update would time out too early, or only a day late.
 */
import * as attempts from './auth/attempts.ts';
import * as bans from './certificates/blocked-ban.ts';
import * as renewals from './certificates/renewals.ts';
import type { Context } from './context.ts';
import { readClock } from './db/clock.ts';
import type { Db } from './db/query.ts';
import * as rollouts from './deployments/rollouts.ts';
import * as targets from './deployments/store.ts';
import * as presence from './devices/presence.ts';
import * as notifications from './notifications/deliver.ts';
import * as outbox from './outbox/outbox.ts';

export interface ClockJump {
  /** Ahead; less than 0: back. */
  byMs: number;
  /** By the clock as it is now; ms since 1970. */
  now: number;
  /** What was written from then on until about `now` was written by the new clock: it is right as it is. */
  since: number;
}

export interface Clocks {
  database(db: Db): Promise<number>;
  /** In ms, from any moment; nobody sets it. */
  steady(): number;
}

/** What is less may be the statement's own way. */
const leastJumpMs = 30_000;
const slowReadMs = 10_000;
/** A transaction that began before a jump writes times of the old clock, and they are seen only when it commits. */
const lateMs = 60_000;
const lateEveryMs = 5_000;

/**
 * Returns the database's time, after whatever was due by the old clock has been moved if it has jumped since the last call. Every copy
 * notices, and a second move finds nothing. Null when the time could not be read within seconds: the next call will tell.
 */
export function createFollowClock(
  clocks: Clocks = { database: readClock, steady: () => performance.now() },
): (context: Pick<Context, 'db' | 'log'>) => Promise<number | null> {
  let last: { database: number; steady: number } | null = null;
  /** After a jump back; by the steady clock. */
  let late: { byMs: number; nextAt: number; endsAt: number } | null = null;
  return async ({ db, log }) => {
    const asked = clocks.steady();
    const database = await clocks.database(db);
    const steady = clocks.steady();
    if (steady - asked > slowReadMs) return null;
    const passedMs = last ? steady - last.steady : 0;
    const byMs = last ? Math.round(database - last.database - passedMs) : 0;
    if (Math.abs(byMs) >= leastJumpMs) {
      log('warn', "the database's clock has jumped", { byMs });
      await move(db, { byMs, now: database, since: database - passedMs - 1_000 });
      late = byMs < 0 ? { byMs, nextAt: steady + lateEveryMs, endsAt: steady + lateMs } : null;
    }
    // Also what a jump has left that nobody was there to see.
    if (!last || byMs <= -leastJumpMs) await dropFuture(db, database);
    else if (late && steady >= late.nextAt) {
      // All but what is ahead has been moved already, or is of the new clock.
      await targets.followClock(db, { byMs: late.byMs, now: database, since: 0 });
      await dropFuture(db, database);
      late = steady < late.endsAt ? { ...late, nextAt: steady + lateEveryMs } : null;
    }
    last = { database, steady };
    return database;
  };
}

async function move(db: Db, jump: ClockJump): Promise<void> {
  await targets.followClock(db, jump);
  await rollouts.followClock(db, jump);
}

/** Times that are further ahead than anything sets them. */
async function dropFuture(db: Db, now: number): Promise<void> {
  for (const feature of [outbox, renewals, bans, attempts, presence, notifications])
    await feature.dropFuture(db, now);
}
