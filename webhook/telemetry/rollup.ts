/**
 * Measurements become minutes and hours when they are some hours old: whole partitions by one statement each, what came for a time that has no
 * partition by the batch. A measurement is either itself or counted in a roll-up, never both, for both happen in one transaction; so one
 * that comes late is added to its minute, and nothing is counted twice, whenever a copy dies.
 *
 * `measured_hours` has a row for each hour of a source, in it a text for each number: the hour, then each minute that has any, parted by `;`.
 *
 *     number of measurements, least, sum, greatest          60 17.9 1092.5 18.4
 *     the same of the minute 15 of the hour                 15 4 18.1 72.8 18.3
 *     of one measurement alone, only that                   18.2, or 15 18.2
 *
 * A column for each would take 40 bytes and more a minute, most of them the row's own.
 */
import { type SQL, sql } from 'drizzle-orm';
import { consumePartitions, defaultOf, exclusively } from '../db/partitions.ts';
import { type Db, query } from '../db/query.ts';

const hourMs = 3_600_000;

/** Rolls up partitions that are older than `hours`. Answers how many are gone. Safe in any number of copies. */
export function rollUp(db: Db, hours: number, now: number): Promise<number> {
  return consumePartitions(db, 'measurements', now - hours * hourMs, (tx, partition) =>
    fold(tx, sql`select source, at, body from ${partition}`),
  );
}

/** The same of what came too late for its partition, at most `limit` of them. Answers how many; 0 also while another copy is at it. */
export async function rollUpStray(db: Db, hours: number, now: number, limit: number): Promise<number> {
  const rest = sql.identifier(defaultOf('measurements'));
  const before = sql`${new Date(now - hours * hourMs).toISOString()}::timestamptz`;
  let n = 0;
  await exclusively(db, async (tx) => {
    n = await fold(
      tx,
      sql`delete from ${rest} where ctid = any(array(
            select ctid from ${rest} where at < ${before} order by source, at limit ${limit} for update))
          returning source, at, body`,
    );
  });
  return n;
}

/** Of `column`, the time in steps of a minute or an hour. */
const begin = (step: 'minute' | 'hour', column: SQL) =>
  sql`date_bin(${sql.raw(`interval '1 ${step}'`)}, ${column}, 'epoch'::timestamptz)`;

/** A double as its shortest text. */
const asText = (n: SQL) => sql`${n}::float8::text`;
/** No sum is more than a double holds. */
const bounded = (n: SQL) => sql`greatest(least(${n}, 1.7e308), -1.7e308)`;

const pack = (n: SQL, low: SQL, total: SQL, high: SQL) => sql`
  case when ${n} = 1 then ${asText(low)} else concat_ws(' ', ${n}, ${asText(low)}, ${asText(bounded(total))}, ${asText(high)}) end`;

/** Adds the rows of `taken` (source, at, body) to the hours of their sources. Answers how many there were. */
async function fold(tx: Db, taken: SQL): Promise<number> {
  const [row] = await query<{ n: number }>(
    tx,
    sql`
    with taken as materialized (${taken}),
    newest as (
      update telemetry_sources s set last_at = t.at, last = t.body
      from (select distinct on (source) source, at, body from taken order by source, at desc) t
      where s.id = t.source and (s.last_at is null or s.last_at <= t.at)),
    fresh as (
      select source, ${begin('minute', sql`at`)} as at, name, count(*) as n, min(v) as low, sum(v) as total, max(v) as high
      from (
        select t.source, t.at, e.key as name, e.value::numeric as v from taken t cross join lateral jsonb_each(t.body) e
        where jsonb_typeof(e.value) = 'number') numbers
      group by 1, 2, 3),
    known as (
      delete from measured_hours h
      using (select distinct source, ${begin('hour', sql`at`)} as at from fresh) f
      where h.source = f.source and h.at = f.at
        and h.at >= (select ${begin('hour', sql`min(at)`)} from fresh) and h.at <= (select max(at) from fresh)
      returning h.source, h.at, h.packed),
    minutes as (
      select source, at, name, sum(n) as n, min(low) as low, sum(total) as total, max(high) as high from (
        select * from fresh
        union all
        select k.source, p.at, e.key, p.n::bigint, p.low::numeric, p.total::numeric, p.high::numeric
        from known k cross join lateral jsonb_each_text(k.packed) e
          cross join lateral (${unpackMinutes(sql`k.at`, sql`e.value`)}) p) added
      group by 1, 2, 3),
    hours as (
      select source, ${begin('hour', sql`at`)} as at, name,
        ${pack(sql`sum(n)`, sql`min(low)`, sql`sum(total)`, sql`max(high)`)} || ';' || string_agg(
          extract(minute from at at time zone 'UTC') || ' ' || ${pack(sql`n`, sql`low`, sql`total`, sql`high`)}, ';' order by at) as packed
      from minutes group by 1, 2, 3),
    kept as (
      insert into measured_hours (source, at, packed)
      select source, at, jsonb_object_agg(name, packed) from hours group by source, at order by source, at)
    select count(*)::int as n from taken`,
  );
  return row!.n;
}

/** Its moment, and in texts the number of measurements, least, sum and greatest; `from`: fields before them. */
const unpack = (at: SQL, point: SQL, from: 0 | 1) => {
  const field = (n: number) => sql`split_part(${point}, ' ', ${sql.raw(String(from + n))})`;
  const ofMany = (n: number) => sql`case when ${field(2)} = '' then ${field(1)} else ${field(n)} end`;
  return sql`select ${at} as at, case when ${field(2)} = '' then '1' else ${field(1)} end as n,
    ${ofMany(2)} as low, ${ofMany(3)} as total, ${ofMany(4)} as high`;
};

export const unpackHour = (hour: SQL, packed: SQL): SQL =>
  unpack(hour, sql`split_part(${packed}, ';', 1)`, 0);

export const unpackMinutes = (hour: SQL, packed: SQL): SQL => sql`
  ${unpack(sql`${hour} + make_interval(mins => split_part(w.point, ' ', 1)::int)`, sql`w.point`, 1)}
  from string_to_table(${packed}, ';') with ordinality w(point, nth) where w.nth > 1`;
