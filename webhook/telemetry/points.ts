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

/**
 * Rows of `at`, `n`, `low`, `total` and `high`: each measurement by itself as long as it is kept, and each minute or hour of older ones, by its
 * beginning. `from` and `to` cut at these.
 */
export function pointsOf(deviceId: SQL, topic: MeasuredTopic, name: SQL, { from, to, step }: Span): SQL {
  const packed = sql`h.packed ->> ${name}`;
  const rolledUp = step === 'hour' ? unpackHour(sql`h.at`, packed) : unpackMinutes(sql`h.at`, packed);
  // The hour that has begun before has minutes that have not.
  const first = step === 'hour' ? from : sql`${from} - interval '1 hour'`;
  return sql`
    select m.at, 1::float8 as n, v.n as low, v.n as total, v.n as high
    from telemetry_sources s join measurements m on m.source = s.id cross join lateral (
      select case when jsonb_typeof(m.body -> ${name}) = 'number' then (m.body -> ${name})::float8 end as n) v
    where s.device_id = ${deviceId} and s.topic = ${topic} and m.at >= ${from} and m.at < ${to} and v.n is not null
    union all
    select p.at, p.n::float8, p.low::float8, p.total::float8, p.high::float8
    from telemetry_sources s join measured_hours h on h.source = s.id cross join lateral (${rolledUp}) p
    where s.device_id = ${deviceId} and s.topic = ${topic} and h.at >= ${first} and h.at < ${to} and h.packed ? ${name} and p.at >= ${from} and p.at < ${to}`;
}
