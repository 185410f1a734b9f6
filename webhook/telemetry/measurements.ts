/** What devices measured and logged, read back for charts and screens. */

import { and, eq, gte, lt, type SQL, sql } from 'drizzle-orm';
import { countUpTo } from '../db/count.ts';
import { down, Order, type Paging, readPage } from '../db/keyset.ts';
import { type Db, query } from '../db/query.ts';
import { deviceLogs } from './table.ts';

export const measuredTopics = ['status/system', 'status/network', 'data/sensors', 'data/metrics'] as const;
export type MeasuredTopic = (typeof measuredTopics)[number];

export interface Latest extends Record<string, unknown> {
  topic: MeasuredTopic;
  at: Date;
  body: Record<string, unknown>;
}

/** The last message of each topic. A device that is well has said everything within a day; only for one that has not are all days read. */
export async function getLatest(db: Db, deviceId: string): Promise<Latest[]> {
  const recent = await query<Latest>(
    db,
    latestOf(deviceId, measuredTopics, new Date(Date.now() - 86_400_000)),
  );
  const missing = measuredTopics.filter((topic) => !recent.some((row) => row.topic === topic));
  const older = missing.length ? await query<Latest>(db, latestOf(deviceId, missing, null)) : [];
  return [...recent, ...older].map((row) => ({ ...row, at: new Date(row.at) }));
}

/** Since `from`: partitions of earlier days are not opened. */
export function latestOf(deviceId: string, topics: readonly MeasuredTopic[], from: Date | null): SQL {
  const since = from ? sql`and t.at >= ${from.toISOString()}::timestamptz` : sql``;
  return sql`
    select m.topic, l.at, l.body from jsonb_array_elements_text(${JSON.stringify(topics)}::jsonb) as m(topic)
    cross join lateral (
      select t.at, t.body from telemetry t where t.device_id = ${deviceId} and t.topic = m.topic ${since}
      order by t.at desc limit 1) l`;
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
export async function bucket(db: Db, input: ChartOf): Promise<Bucket[]> {
  return query<Bucket>(db, bucketsOf(input));
}

export interface ChartOf {
  deviceId: string;
  topic: MeasuredTopic;
  value: string;
  from: Date;
  to: Date;
  bucketMs: number;
}

export function bucketsOf(input: ChartOf): SQL {
  const { deviceId, topic, value, bucketMs } = input;
  const [from, to] = [input.from.toISOString(), input.to.toISOString()];
  const path = topic.startsWith('data/') ? sql`body -> 'values' -> ${value}` : sql`body -> ${value}`;
  return sql`select (extract(epoch from bucket) * 1000)::float8 as at, min(n) as min, avg(n) as avg, max(n) as max,
          count(*)::int as count
        from (
          select date_bin(make_interval(secs => ${bucketMs / 1000}::float8), at, ${from}::timestamptz) as bucket,
            case when jsonb_typeof(${path}) = 'number' then (${path})::float8 end as n
          from telemetry
          where device_id = ${deviceId} and topic = ${topic}
            and at >= ${from}::timestamptz and at < ${to}::timestamptz) measured
        where n is not null group by bucket order by bucket`;
}

const newest = new Order('logs', [down(deviceLogs.at), down(deviceLogs.id)]);
export const logLevels = ['debug', 'info', 'warn', 'error'] as const;

/** Newest first; of this level and the graver ones. */
export async function listLogs(
  db: Db,
  deviceId: string,
  filter: {
    level?: (typeof logLevels)[number] | undefined;
    from?: Date | undefined;
    to?: Date | undefined;
  } & Paging,
) {
  const levels = logLevels.slice(logLevels.indexOf(filter.level ?? 'debug'));
  const where = and(
    eq(deviceLogs.deviceId, deviceId),
    filter.level ? sql`${deviceLogs.level} in ${levels}` : undefined,
    filter.from ? gte(deviceLogs.at, filter.from) : undefined,
    filter.to ? lt(deviceLogs.at, filter.to) : undefined,
  );
  const { at, level, message } = deviceLogs;
  const { rows: items, next } = await readPage(newest, filter, (behind, limit, offset) =>
    db
      .select({ at, level, message, key: newest.key })
      .from(deviceLogs)
      .where(and(where, behind))
      .orderBy(...newest.by)
      .limit(limit)
      .offset(offset),
  );
  return { items, next, ...(await countUpTo(db, deviceLogs, where, filter)) };
}
