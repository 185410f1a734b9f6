/**
 * What grows with the fleet goes by its age: whole days at once where tables are partitioned (`db/partitions.ts`), the rest (what came
 * for a day that has no partition, dead letters and notifications) row by row, a batch at a time, so that no statement holds many locks. What a
 * device has counted its boots in goes by its number.
 */
import { sql } from 'drizzle-orm';
import { forgetExpired } from '../certificates/expiry.ts';
import type { Context } from '../context.ts';
import { columnOf, createPartitions, defaultOf, dropPartitions, partitioned } from '../db/partitions.ts';
import { type Db, query } from '../db/query.ts';
import { forgetTargets } from '../deployments/history.ts';
import { forgetEpochs } from '../devices/presence.ts';
import { type Loop, startLoop } from '../loop.ts';
import { rollUp, rollUpStray } from '../telemetry/rollup.ts';

/** Days. */
export interface Retention {
  /** Minutes and hours of measurements, and incidents. */
  telemetry: number;
  /** Hours: measurements one by one. */
  telemetryRawHours: number;
  logs: number;
  /** Of finished deployments, whose figures stay. */
  targets: number;
  targetEvents: number;
  deadLetters: number;
  notifications: number;
  crashes: number;
}

export const defaultRetention: Retention = {
  telemetry: 30,
  telemetryRawHours: 24,
  logs: 30,
  targets: 365,
  targetEvents: 180,
  deadLetters: 30,
  notifications: 90,
  crashes: 90,
};

/** A device re-sends until it is acked; a message that old is never sent again. */
const receivedDays = 30;
/** Of a certificate that has expired and of which its holder has a newer one. */
const certificateDays = 90;

/** Measurements do not go: they are rolled up. */
const dropped = partitioned.filter((table) => table !== 'measurements');
const days = {
  measured_hours: 'telemetry',
  device_logs: 'logs',
  device_incidents: 'telemetry',
  target_events: 'targetEvents',
  received_messages: 'received',
} as const;
const rows = [
  ...dropped.map((table) => ({ table: defaultOf(table), column: columnOf(table), days: days[table] })),
  { table: 'dead_letters', column: 'received_at', days: 'deadLetters' as const },
  { table: 'device_metrics', column: 'at', days: 'telemetry' as const },
  // Their deliveries go with them.
  { table: 'notification_events', column: 'at', days: 'notifications' as const },
  { table: 'crash_reports', column: 'at', days: 'crashes' as const },
  // With all that was counted of them.
  { table: 'crash_groups', column: 'last_seen_at', days: 'crashes' as const },
];

const batch = 5_000;
const everyMs = 10 * 60_000;
const dayMs = 86_400_000;

const daysOf = (
  retention: Retention,
  kind: Exclude<keyof Retention, 'telemetryRawHours'> | 'received',
): number => (kind === 'received' ? receivedDays : retention[kind]);

/** Partitions made ahead, rolled up and dropped; answers how many are gone. Safe in any number of copies at the same time. */
export async function turnDays(db: Db, retention: Retention, now: number): Promise<number> {
  await createPartitions(db, now);
  let gone = 0;
  for (const table of dropped) {
    gone += await dropPartitions(db, table, now - daysOf(retention, days[table]) * dayMs);
  }
  return gone + (await rollUp(db, retention.telemetryRawHours, now));
}

/** Deletes or rolls up one batch of each table; answers how many rows of all. Safe in any number of copies at the same time. */
export async function sweepOnce(db: Db, retention: Retention): Promise<number> {
  let deleted = await forgetEpochs(db, batch);
  deleted += await rollUpStray(db, retention.telemetryRawHours, Date.now(), batch);
  deleted += await forgetTargets(db, retention.targets, batch);
  deleted += await forgetExpired(db, certificateDays, batch);
  for (const { table, column, days } of rows) {
    const [name, at] = [sql.identifier(table), sql.identifier(column)];
    const [row] = await query<{ n: number }>(
      db,
      sql`with gone as (
            delete from ${name} where ctid = any(array(
              select ctid from ${name} where ${at} < now() - make_interval(days => ${daysOf(retention, days)}::int)
              limit ${batch} for update skip locked))
            returning 1)
          select count(*)::int as n from gone`,
    );
    deleted += row!.n;
  }
  return deleted;
}

export function startSweeper({ closing, db, log }: Context, retention: Retention): Loop {
  return startLoop(async () => {
    try {
      const gone = await turnDays(db, retention, Date.now());
      let deleted = 0;
      for (let n = -1; n !== 0 && !closing.aborted; deleted += n) n = await sweepOnce(db, retention);
      if (gone + deleted > 0) log('info', 'old rows deleted', { days: gone, rows: deleted });
    } catch (error) {
      log('warn', 'old rows not deleted', { error });
    }
    return { pauseMs: everyMs };
  });
}
