/**
 * The newest number of each name that a device has told, for conditions on the whole fleet (`metric.battery > 30`), which would otherwise look
 * into the telemetry of every device.
 */
import { eq, gt, gte, lt, lte, ne, type SQL, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import type { Db } from '../db/query.ts';
import { levelOf } from './table.ts';
import type { TelemetryRow } from './telemetry.ts';

/** Older ones are no longer what the device is like. */
const freshMs = 86_400_000;
/** The same number again is written after so long only. */
const againMs = 600_000;
/** Names of a device that are kept; one message has as many at most. */
const namesKept = 64;

const span = (ms: number) => sql.raw(`interval '${ms / 1000} seconds'`);

interface Newest {
  d: string;
  n: string;
  v: number;
  t: number;
  p: boolean;
}

export async function keepNewest(db: Db, rows: TelemetryRow[]): Promise<void> {
  const newest = new Map<string, Newest>();
  for (const { deviceId: d, topic, at, body } of rows) {
    if (!topic.startsWith('data/')) continue;
    const t = at.getTime();
    const p = topic === 'data/metrics';
    for (const [n, v] of Object.entries(body.values as Record<string, number>)) {
      const key = `${d}/${n}`;
      const known = newest.get(key);
      if (!known || (p === known.p ? t >= known.t : p)) newest.set(key, { d, n, v, t, p });
    }
  }
  if (newest.size === 0) return;
  // In the order of the key, so that two transactions never wait in a circle.
  const sorted = [...newest.values()].sort((a, b) => (a.d < b.d || (a.d === b.d && a.n < b.n) ? -1 : 1));
  await db.execute(sql`
    insert into device_metrics as m (device_id, name, value, at, preferred)
    select v.d, v.n, v.v, to_timestamp(v.t / 1000), v.p
    from jsonb_to_recordset(${JSON.stringify(sorted)}::jsonb) as v(d text, n text, v float8, t float8, p boolean)
    where exists (select from device_metrics k where k.device_id = v.d and k.name = v.n)
      or (select count(*) from device_metrics k where k.device_id = v.d) < ${namesKept}
    on conflict (device_id, name) do update set value = excluded.value, at = excluded.at, preferred = excluded.preferred
    where m.at <= excluded.at and (excluded.preferred or not m.preferred or m.at < excluded.at - ${span(freshMs)})
      and (m.value <> excluded.value or m.preferred <> excluded.preferred or m.at < excluded.at - ${span(againMs)})`);
}

const compared = { '=': eq, '!=': ne, '<': lt, '<=': lte, '>': gt, '>=': gte } as const;
export type NumberOperator = keyof typeof compared;

/** Whether the device's newest number of that name compares so; not when it told none within a day. Never null. */
export function hasNewest(deviceId: PgColumn, name: string, operator: NumberOperator, value: number): SQL {
  const number = sql`${value}::float8`;
  // By the index: every number that compares so has a level that does, or is of the same one.
  const level = operator === '!=' ? sql`` : sql`and m.level ${wide[operator]} ${levelOf(number)}`;
  return sql`exists (select from device_metrics m
    where m.device_id = ${deviceId} and m.name = ${name} ${level} and m.at > now() - ${span(freshMs)}
      and ${compared[operator](sql`m.value`, number)})`;
}

const wide = { '=': sql`=`, '<': sql`<=`, '<=': sql`<=`, '>': sql`>=`, '>=': sql`>=` } as const;
