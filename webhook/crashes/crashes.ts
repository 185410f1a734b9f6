/** Crashes that devices report: counted once each, grouped by ELF and place, bounded per device and per group. */
import { eq, sql } from 'drizzle-orm';
import type { Crash } from '#emqx/protocol.ts';
import { type Db, query } from '../db/query.ts';
import { recordCrashes } from '../devices/incidents.ts';
import { regionsOf } from '../devices/presence.ts';
import { tell } from '../notifications/events.ts';
import { framesOf, signatureOf, topFrames } from './signature.ts';
import { crashGroupDevices, crashReports } from './table.ts';

export interface CrashReport {
  deviceId: string;
  at: Date;
  crash: Crash;
  runningVersion: string;
}

/** A device that says more within a day is in a loop, or lies: what comes above it is let go. */
const perDeviceAndDay = 50;
/** Reports that a group keeps; it goes on counting. */
const perGroup = 1_000;

/**
 * Within the transaction of their messages, whose devices are locked. A report that is known, under the device's own name for it, is
 * left out. Groups that are new are told of. Last of what others may wait for: rows are locked in the order of their signatures.
 */
export async function record(tx: Db, reports: CrashReport[]): Promise<void> {
  const fresh = await findFresh(tx, reports);
  if (fresh.length === 0) return;
  await recordCrashes(tx, fresh);
  const groups = await countGroups(tx, fresh);
  const rows = fresh.map((report) => ({ ...report, groupId: groups.get(signatureOf(report.crash))!.id }));
  await countDevices(tx, rows);
  await tx.insert(crashReports).values(
    rows.map(({ groupId, deviceId, at, runningVersion, crash }) => ({
      ...{ groupId, deviceId, at, runningVersion, crashId: crash.id, reason: crash.reason },
      ...{ task: crash.task ?? null, pc: crash.pc, backtrace: crash.backtrace },
      corrupted: crash.corrupted ?? false,
    })),
  );
  await dropOldest(tx, [...new Set(rows.map((row) => row.groupId))]);
  await tellNew(
    tx,
    rows.filter((row) => groups.get(signatureOf(row.crash))!.isNew),
  );
}

/** Of a device that is no more: what was counted of it stays counted. */
export async function forgetDevice(db: Db, deviceId: string): Promise<void> {
  await db.delete(crashReports).where(eq(crashReports.deviceId, deviceId));
  await db.delete(crashGroupDevices).where(eq(crashGroupDevices.deviceId, deviceId));
}

async function findFresh(tx: Db, reports: CrashReport[]): Promise<CrashReport[]> {
  if (reports.length === 0) return [];
  const first = new Map(reports.map((r) => [keyOf(r.deviceId, r.crash.id), r]));
  const keys = JSON.stringify([...first.values()].map((r) => ({ d: r.deviceId, c: r.crash.id })));
  const known = await query<{ d: string; c: string }>(
    tx,
    sql`select r.device_id as d, r.crash_id as c from crash_reports r
        join jsonb_to_recordset(${keys}::jsonb) as k(d text, c text) on r.device_id = k.d and r.crash_id = k.c`,
  );
  for (const { d, c } of known) first.delete(keyOf(d, c));
  const today = await query<{ d: string; n: number }>(
    tx,
    sql`select k.d, (select count(*)::int from crash_reports r where r.device_id = k.d and r.at > now() - interval '1 day') as n
        from (select distinct d from jsonb_to_recordset(${keys}::jsonb) as v(d text)) k`,
  );
  const left = new Map(today.map(({ d, n }) => [d, perDeviceAndDay - n]));
  return [...first.values()].filter(({ deviceId }) => {
    const more = left.get(deviceId)!;
    left.set(deviceId, more - 1);
    return more > 0;
  });
}

const keyOf = (deviceId: string, crashId: string) => `${deviceId}/${crashId}`;

async function countGroups(
  tx: Db,
  reports: CrashReport[],
): Promise<Map<string, { id: string; isNew: boolean }>> {
  const rows = reports.map(({ at, crash }) => ({
    ...{ signature: signatureOf(crash), elf: crash.elf, reason: crash.reason, at },
    frames: framesOf(crash).slice(0, topFrames),
  }));
  const groups = await query<{ signature: string; id: string; isNew: boolean }>(
    tx,
    sql`insert into crash_groups as g (signature, elf, reason, frames, first_seen_at, last_seen_at, reports)
        select signature, max(elf), (array_agg(reason order by at desc))[1], (array_agg(frames))[1], min(at), max(at), count(*)
        from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
          as v(signature text, elf text, reason text, frames jsonb, at timestamptz)
        group by signature order by signature
        on conflict (signature) do update set
          elf = case when length(excluded.elf) > length(g.elf) then excluded.elf else g.elf end,
          reason = excluded.reason, first_seen_at = least(g.first_seen_at, excluded.first_seen_at),
          last_seen_at = greatest(g.last_seen_at, excluded.last_seen_at), reports = g.reports + excluded.reports
        returning signature, id, xmax = 0 as "isNew"`,
  );
  return new Map(groups.map(({ signature, ...group }) => [signature, group]));
}

async function countDevices(tx: Db, rows: (CrashReport & { groupId: string })[]): Promise<void> {
  const told = rows.map(({ groupId, deviceId, at, crash }) => ({
    g: groupId,
    d: deviceId,
    at,
    r: crash.reason,
  }));
  const given = sql`jsonb_to_recordset(${JSON.stringify(told)}::jsonb) as v(g uuid, d text, at timestamptz, r text)`;
  await tx.execute(sql`
    with seen as (
      insert into crash_group_devices as s (group_id, device_id, reason, first_seen_at, last_seen_at, reports)
      select g, d, (array_agg(r order by at desc))[1], min(at), max(at), count(*) from ${given} group by g, d order by g, d
      on conflict (group_id, device_id) do update set
        reason = excluded.reason, first_seen_at = least(s.first_seen_at, excluded.first_seen_at), last_seen_at = greatest(s.last_seen_at, excluded.last_seen_at), reports = s.reports + excluded.reports
      returning group_id, xmax = 0 as is_new
    )
    update crash_groups g set devices = g.devices + n.n
    from (select group_id, count(*)::int as n from seen where is_new group by group_id) n where g.id = n.group_id`);
  await tx.execute(sql`
    insert into crash_days as c (group_id, day, reports)
    select g, (at at time zone 'UTC')::date, count(*) from ${given} group by 1, 2 order by 1, 2
    on conflict (group_id, day) do update set reports = c.reports + excluded.reports`);
}

async function dropOldest(tx: Db, groupIds: string[]): Promise<void> {
  await tx.execute(sql`
    delete from crash_reports r using (
      select g.id as group_id, (
        select o.id from crash_reports o where o.group_id = g.id order by o.id desc offset ${perGroup} limit 1) as last
      from (select value::uuid as id from jsonb_array_elements_text(${JSON.stringify(groupIds)}::jsonb)) g) old
    where r.group_id = old.group_id and r.id <= old.last`);
}

async function tellNew(tx: Db, rows: (CrashReport & { groupId: string })[]): Promise<void> {
  if (rows.length === 0) return;
  const regions = await regionsOf(tx, [...new Set(rows.map((row) => row.deviceId))]);
  const first = new Map(rows.map((row) => [row.groupId, row]));
  await tell(
    tx,
    [...first].map(([group, { deviceId, crash, runningVersion }]) => {
      const of = rows.filter((row) => row.groupId === group);
      return {
        ...{ kind: 'crash_group_new', severity: 'warning', key: `crash_group/${group}` },
        regionIds: [...new Set(of.flatMap((row) => regions.get(row.deviceId) ?? []))],
        data: { group, reason: crash.reason, pc: crash.pc, device: deviceId, version: runningVersion },
      };
    }),
  );
}
