/** What devices measured and logged, read back for charts and screens. */

import { and, eq, gte, lt, type SQL, sql } from 'drizzle-orm';
import { countUpTo } from '../db/count.ts';
import { down, Order, type Paging, readPage } from '../db/keyset.ts';
import { type Db, query } from '../db/query.ts';
import { moment, pointsOf, stepOf } from './points.ts';
import { deviceLogs } from './table.ts';
import { type MeasuredTopic, measuredTopics, toMessage } from './topics.ts';

export interface Latest extends Record<string, unknown> {
  topic: MeasuredTopic;
  at: Date;
  body: Record<string, unknown>;
}

/** The last message of each topic. */
export async function getLatest(db: Db, deviceId: string): Promise<Latest[]> {
  const rows = await query<Latest>(
    db,
    sql`select s.topic, coalesce(m.at, s.last_at) as at, coalesce(m.body, s.last) as body from telemetry_sources s
        left join lateral (
          select at, body from measurements where source = s.id order by at desc limit 1) m on s.last_at is null or m.at >= s.last_at
        where s.device_id = ${deviceId} and coalesce(m.at, s.last_at) is not null`,
  );
  return measuredTopics.flatMap((topic) =>
    rows
      .filter((row) => row.topic === topic)
      .map(({ at, body }) => ({ topic, at: new Date(at), body: toMessage(topic, body) })),
  );
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

export function bucketsOf({ deviceId, topic, value, bucketMs, ...range }: ChartOf): SQL {
  const from = moment(range.from);
  const span = { from, to: moment(range.to), step: stepOf(bucketMs) };
  return sql`select (extract(epoch from bucket) * 1000)::float8 as at, min(low) as min, sum(total) / sum(n) as avg, max(high) as max,
          sum(n)::int as count
        from (
          select date_bin(make_interval(secs => ${bucketMs / 1000}::float8), p.at, ${from}) as bucket, p.n, p.low, p.total, p.high
          from (${pointsOf(sql`${deviceId}`, topic, sql`${value}::text`, span)}) p) measured
        group by bucket order by bucket`;
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
