/** What one number of a source was over time, from measurements and from what became of older ones. */
import { type SQL, sql } from 'drizzle-orm';
import { unpackHour, unpackMinutes } from './rollup.ts';
import type { MeasuredTopic } from './topics.ts';

export const minuteMs = 60_000;
export const hourMs = 3_600_000;

/** The longest that fits: of what is older than hours, there are minutes and hours. */
export const stepOf = (bucketMs: number): Step => (bucketMs >= hourMs ? 'hour' : 'minute');
export type Step = 'minute' | 'hour';

export interface Span {
  from: SQL;
  to: SQL;
  step: Step;
}

export const moment = (at: Date): SQL => sql`${at.toISOString()}::timestamptz`;

/** Null where the device has told nothing on the topic. */
export const sourceOf = (deviceId: SQL, topic: MeasuredTopic): SQL =>
  sql`(select s.id from telemetry_sources s where s.device_id = ${deviceId} and s.topic = ${topic})`;

/**
 * Rows of `at`, `n`, `low`, `total` and `high`: each measurement by itself as long as it is kept, and each minute or hour of older ones, by its
 * beginning. `from` and `to` cut at these.
 */
export function pointsOf(source: SQL, name: SQL, { from, to, step }: Span): SQL {
  const packed = sql`h.packed ->> ${name}`;
  const rolledUp = step === 'hour' ? unpackHour(sql`h.at`, packed) : unpackMinutes(sql`h.at`, packed);
  // The hour that has begun before has minutes that have not.
  const first = step === 'hour' ? from : sql`${from} - interval '1 hour'`;
  return sql`
    select m.at, 1::float8 as n, v.n as low, v.n as total, v.n as high
    from measurements m cross join lateral (
      select case when jsonb_typeof(m.body -> ${name}) = 'number' then (m.body -> ${name})::float8 end as n) v
    where m.source = ${source} and m.at >= ${from} and m.at < ${to} and v.n is not null
    union all
    select p.at, p.n::float8, p.low::float8, p.total::float8, p.high::float8
    from measured_hours h cross join lateral (${rolledUp}) p
    where h.source = ${source} and h.at >= ${first} and h.at < ${to} and h.packed ? ${name} and p.at >= ${from} and p.at < ${to}`;
}
