/**
 * What grows with the fleet is deleted by its age, a batch at a time from the oldest id on: ids rise with time, so the primary key
 * finds what is old without an index of its own, and no statement holds many locks. A row that came out of order goes a little later.
 */
import { sql } from 'drizzle-orm';
import type { Context } from '../context.ts';
import { type Db, query } from '../db/connect.ts';

/** Days. */
export interface Retention {
  telemetry: number;
  logs: number;
  targetEvents: number;
  deadLetters: number;
}

export const defaultRetention: Retention = { telemetry: 30, logs: 30, targetEvents: 180, deadLetters: 30 };

const tables = [
  { table: 'telemetry', column: 'at', days: 'telemetry' },
  { table: 'device_logs', column: 'at', days: 'logs' },
  { table: 'target_events', column: 'at', days: 'targetEvents' },
  { table: 'dead_letters', column: 'received_at', days: 'deadLetters' },
] as const;

const batch = 5_000;
const everyMs = 10 * 60_000;

/** Deletes one batch of each table; answers how many rows of all. Safe in any number of copies at the same time. */
export async function sweepOnce(db: Db, retention: Retention): Promise<number> {
  let deleted = 0;
  for (const { table, column, days } of tables) {
    const [name, at] = [sql.identifier(table), sql.identifier(column)];
    const [row] = await query<{ n: number }>(
      db,
      sql`with gone as (
            delete from ${name} where id in (select id from ${name} order by id limit ${batch} for update skip locked)
              and ${at} < now() - make_interval(days => ${retention[days]}::int)
            returning 1)
          select count(*)::int as n from gone`,
    );
    deleted += row!.n;
  }
  return deleted;
}

export interface Sweeper {
  /** Ends after the batch that is under way. */
  stop(): Promise<void>;
}

export function startSweeper(context: Context, retention: Retention): Sweeper {
  let rouse = () => {};
  const { closing, db, log } = context;
  closing.addEventListener('abort', () => rouse());

  async function run(): Promise<void> {
    while (!closing.aborted) {
      try {
        let deleted = 0;
        for (let n = -1; n !== 0 && !closing.aborted; deleted += n) n = await sweepOnce(db, retention);
        if (deleted > 0) log('info', 'old rows deleted', { rows: deleted });
      } catch (error) {
        log('warn', 'old rows not deleted', { error });
      }
      if (closing.aborted) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, everyMs);
        rouse = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
  const running = run();
  return { stop: () => running };
}
