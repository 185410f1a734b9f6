/** What devices measured and logged, read back for charts and screens. */
import { and, count, desc, eq, gte, lt, sql } from 'drizzle-orm';
import { type Db, query } from '../db/connect.ts';
import { deviceLogs, telemetry } from './table.ts';

export const measuredTopics = ['status/system', 'status/network', 'data/sensors', 'data/metrics'] as const;
export type MeasuredTopic = (typeof measuredTopics)[number];

/** The last message of each topic. */
export async function getLatest(db: Db, deviceId: string) {
  const rows = await Promise.all(
    measuredTopics.map((topic) =>
      db
        .select({ topic: telemetry.topic, at: telemetry.at, body: telemetry.body })
        .from(telemetry)
        .where(and(eq(telemetry.deviceId, deviceId), eq(telemetry.topic, topic)))
        .orderBy(desc(telemetry.at))
        .limit(1),
    ),
  );
  return rows.flat();
}

export interface Bucket extends Record<string, unknown> {
  /** Start, ms since 1970. */
  at: number;
  min: number;
  avg: number;
  max: number;
  count: number;
}

/** A value over time in buckets of `bucketMs` from `from` on; those without any are left out. `data/*` has its numbers in `values`. */
export async function bucket(
  db: Db,
  input: { deviceId: string; topic: MeasuredTopic; value: string; from: Date; to: Date; bucketMs: number },
): Promise<Bucket[]> {
  const { deviceId, topic, value, bucketMs } = input;
  const [from, to] = [input.from.toISOString(), input.to.toISOString()];
  const path = topic.startsWith('data/') ? sql`body -> 'values' -> ${value}` : sql`body -> ${value}`;
  return query<Bucket>(
    db,
    sql`select (extract(epoch from bucket) * 1000)::float8 as at, min(n) as min, avg(n) as avg, max(n) as max,
          count(*)::int as count
        from (
          select date_bin(make_interval(secs => ${bucketMs / 1000}::float8), at, ${from}::timestamptz) as bucket,
            case when jsonb_typeof(${path}) = 'number' then (${path})::float8 end as n
          from telemetry
          where device_id = ${deviceId} and topic = ${topic}
            and at >= ${from}::timestamptz and at < ${to}::timestamptz) measured
        where n is not null group by bucket order by bucket`,
  );
}

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;

/** Newest first; of this level and the graver ones. */
export async function listLogs(
  db: Db,
  deviceId: string,
  filter: {
    level?: (typeof logLevels)[number] | undefined;
    from?: Date | undefined;
    to?: Date | undefined;
    limit: number;
    offset: number;
  },
) {
  const levels = logLevels.slice(logLevels.indexOf(filter.level ?? 'debug'));
  const where = and(
    eq(deviceLogs.deviceId, deviceId),
    filter.level ? sql`${deviceLogs.level} in ${levels}` : undefined,
    filter.from ? gte(deviceLogs.at, filter.from) : undefined,
    filter.to ? lt(deviceLogs.at, filter.to) : undefined,
  );
  const items = await db
    .select({ at: deviceLogs.at, level: deviceLogs.level, message: deviceLogs.message })
    .from(deviceLogs)
    .where(where)
    .orderBy(desc(deviceLogs.at), desc(deviceLogs.id))
    .limit(filter.limit)
    .offset(filter.offset);
  const [total] = await db.select({ value: count() }).from(deviceLogs).where(where);
  return { items, total: total!.value };
}
