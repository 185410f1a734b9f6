/** What a signal was on a device over some time, in SQL over what is stored anyway. */
import { type SQL, sql } from 'drizzle-orm';
import { at } from '../../db/clock.ts';
import { pointsOf } from '../../telemetry/points.ts';
import type { MeasuredTopic } from '../../telemetry/topics.ts';
import type { Signal } from './signals.ts';

export interface Period {
  from: SQL;
  to: SQL;
}

export const between = (fromMs: number, toMs: number): Period => ({ from: at(fromMs), to: at(toMs) });

/**
 * Mean of the signal on the device (a row of `devices` by that name) within the period; null where nothing was measured. Of what
 * happens: the share of its windows in which it did, so that a device that restarts without end in one of them counts once.
 */
export function meanOf(signal: Signal, device: SQL, period: Period, windowMs: number): SQL {
  switch (signal.kind) {
    case 'restarts':
    case 'crashes':
      return shareOfWindows(
        sql`select i.at as began from device_incidents i
            where i.device_id = ${device}.id and i.kind = ${signal.kind === 'crashes' ? 'crash' : 'restart'} and i.at >= ${period.from} and i.at < ${period.to}`,
        period,
        windowMs,
      );
    case 'disconnects':
      return shareOfWindows(
        sql`select o.began from (${outages(device, period)}) o where o.began >= ${period.from} and o.began < ${period.to}`,
        period,
        windowMs,
      );
    case 'offline':
      return sql`(
        select coalesce(sum(extract(epoch from least(o.ended, ${period.to}) - greatest(o.began, ${period.from}))), 0)::float8
          / extract(epoch from ${period.to} - ${period.from})::float8
        from (${outages(device, period)}) o where o.began < ${period.to} and o.ended > ${period.from})`;
    case 'heap':
      return measured(device, 'status/system', 'freeHeapBytes', period);
    case 'rssi':
      return measured(device, 'status/network', 'rssiDbm', period);
    case 'metric':
      return measured(device, 'data/metrics', signal.name, period);
  }
}

/** Those that ended since the period began, and the one that lasts. */
function outages(device: SQL, { from }: Period): SQL {
  return sql`
    select i.at - make_interval(secs => i.amount / 1000.0) as began, i.at as ended
    from device_incidents i where i.device_id = ${device}.id and i.kind = 'outage' and i.at >= ${from}
    union all select ${device}.last_seen_at, 'infinity'::timestamptz where not ${device}.online and ${device}.last_seen_at is not null`;
}

function shareOfWindows(beginnings: SQL, { from, to }: Period, windowMs: number): SQL {
  const windowS = windowMs / 1000;
  return sql`(
    select count(distinct date_bin(make_interval(secs => ${windowS}::float8), b.began, ${to}))::float8
      / greatest(1, round(extract(epoch from ${to} - ${from})::float8 / ${windowS}::float8))
    from (${beginnings}) b)`;
}

/** Windows begin and end at whole minutes, so that older measurements, of which there are minutes, are all within or all without. */
function measured(device: SQL, topic: MeasuredTopic, name: string, period: Period): SQL {
  const points = pointsOf(sql`${device}.id`, topic, sql`${name}::text`, { ...period, step: 'minute' });
  return sql`(select sum(p.total) / sum(p.n) from (${points}) p)`;
}
