/** What events say of devices, applied set-based: one statement a kind and commit group, newest value wins. */
import { type SQL, sql } from 'drizzle-orm';
import { at } from '../db/clock.ts';
import { anyOf, type Db, query } from '../db/query.ts';
import { outagesOf } from './incidents.ts';

export interface Connected {
  deviceId: string;
  connectedAt: number;
  certificateSerial: string | null;
}

/** Of a critical message: number of its epoch, boot, number within the boot. */
export type Order = readonly [epoch: number, boot: number, n: number];

export interface RunningReport {
  deviceId: string;
  order: Order;
  component: string;
  hardware?: string | undefined;
  version: string;
  sha256: string;
  securityVersion: number;
  undo?: boolean | undefined;
  patch?: string | undefined;
  compressed?: boolean | undefined;
  seal?: string | undefined;
}

/**
 * Events of one connection may overtake each other, and its subscription may be known before it: a device that was heard of
 * since about then keeps being reachable (too early costs one lost publish, which subscribing repeats; too late would leave the
 * device without commands until it connects again). Any other is reachable only once it has subscribed.
 */
export async function markConnected(db: Db, rows: Connected[]): Promise<void> {
  const given = sql`jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
    as v("deviceId" text, "connectedAt" double precision, "certificateSerial" text)`;
  await db.execute(outagesOf(given));
  await db.execute(sql`
    update devices d
    set online = true,
        reachable = d.reachable or coalesce(d.last_seen_at >= to_timestamp(v."connectedAt" / 1000.0) - interval '5 seconds', false),
        connected_at = to_timestamp(v."connectedAt" / 1000.0),
        last_seen_at = greatest(d.last_seen_at, to_timestamp(v."connectedAt" / 1000.0)),
        certificate_serial = v."certificateSerial"
    from ${given}
    where d.id = v."deviceId"
      and (d.connected_at is null or d.connected_at < to_timestamp(v."connectedAt" / 1000.0))`);
}

export async function markReachable(db: Db, deviceIds: string[]): Promise<void> {
  await db.execute(sql`
    update devices set online = true, reachable = true, last_seen_at = now()
    where id ${anyOf(deviceIds)}`);
}

/** They sent something. Other copies note it too, so what is fresh enough stays as it is. */
export async function markHeard(db: Db, deviceIds: string[], everyMs: number): Promise<void> {
  if (deviceIds.length === 0) return;
  await db.execute(sql`
    update devices set last_seen_at = now()
    where id ${anyOf(deviceIds)}
      and (last_seen_at is null or last_seen_at < now() - make_interval(secs => ${everyMs / 1000}))`);
}

/**
 * The broker knows no subscription of theirs: they wait for one, unless they were heard of since such a command can have been on its
 * way.
 */
export async function markDeaf(db: Db, deviceIds: string[], forS: number): Promise<void> {
  if (deviceIds.length === 0) return;
  await db.execute(sql`
    update devices d set reachable = false
    from (
      select id from devices
      where reachable and id ${anyOf(deviceIds)}
      order by id for no key update
    ) deaf
    where d.id = deaf.id and (d.last_seen_at is null or d.last_seen_at < now() - make_interval(secs => ${forS}))`);
}

/** Only when no newer connection is known; a connect that comes after its own disconnect then counts as older. */
export async function markDisconnected(
  db: Db,
  rows: { deviceId: string; connectedAt: number }[],
): Promise<void> {
  await db.execute(sql`
    update devices d
    set online = false, reachable = false, last_seen_at = now(),
        connected_at = greatest(d.connected_at, to_timestamp(v."connectedAt" / 1000.0))
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as v("deviceId" text, "connectedAt" double precision)
    where d.id = v."deviceId"
      and (d.connected_at is null or d.connected_at <= to_timestamp(v."connectedAt" / 1000.0))`);
}

/**
 * Of (device, epoch) in the order in which they came, positionally: the number of the epoch. One that was never seen of the device is
 * its newest; null stands for the newest that is known, 0 when none is.
 */
export async function numberEpochs(
  db: Db,
  told: { deviceId: string; epoch: string | null }[],
): Promise<number[]> {
  const distinct = new Map(told.map((t) => [`${t.deviceId}/${t.epoch}`, t]));
  if (distinct.size === 0) return [];
  const rows = JSON.stringify([...distinct.values()].map((t, i) => ({ i, ...t })));
  const given = sql`jsonb_to_recordset(${rows}::jsonb) as v(i int, "deviceId" text, epoch text)`;
  // Nearly always all of them are known, and nothing is written.
  const find = () =>
    query<{ i: number; number: number | null }>(
      db,
      sql`select v.i, case when v.epoch is null
            then coalesce((select max(e.number) from device_epochs e where e.device_id = v."deviceId"), 0)
            else (select e.number from device_epochs e where e.device_id = v."deviceId" and e.epoch = v.epoch) end as number
          from ${given}`,
    );
  let found = await find();
  if (found.some(({ number }) => number === null)) {
    await db.execute(sql`
      insert into device_epochs (device_id, epoch, number)
      select v."deviceId", v.epoch, coalesce(known.newest, 0) + row_number() over (partition by v."deviceId" order by v.i)
      from ${given}
        left join lateral (select max(e.number) as newest from device_epochs e where e.device_id = v."deviceId") known on true
      where v.epoch is not null
        and not exists (select from device_epochs e where e.device_id = v."deviceId" and e.epoch = v.epoch)
      order by v."deviceId", v.epoch
      on conflict do nothing`);
    found = await find();
  }
  const numbers = new Map(found.map(({ i, number }) => [i, number ?? 0]));
  const byKey = new Map([...distinct.keys()].map((key, i) => [key, numbers.get(i)!]));
  return told.map((t) => byKey.get(`${t.deviceId}/${t.epoch}`)!);
}

/** Begins the epochs that we name ourselves: no device can, for a colon is in none of theirs. */
const enrolled = 'enrolled:';

/**
 * A device has enrolled anew, for it lost what it had. One that tells no epoch would count from the start in the one that is known, and never be
 * heard again, so it begins one here. One that tells epochs begins its own.
 */
export async function beginEpoch(db: Db, deviceId: string, serial: string): Promise<void> {
  await db.execute(sql`
    insert into device_epochs (device_id, epoch, number)
    select ${deviceId}, ${enrolled + serial}, coalesce((select max(number) from device_epochs where device_id = ${deviceId}), 0) + 1
    where exists (select from components where device_id = ${deviceId})
      and not exists (select from device_epochs where device_id = ${deviceId} and epoch not like ${`${enrolled}%`})
    on conflict do nothing`);
}

/** A device's newest epochs that are remembered: no message is under way for as long as its storage is lost so often. */
const epochsKept = 16;

/** Forgets at most `most` epochs that were left long ago; returns how many. Their number, and so the order of those that stay, remains. */
export async function forgetEpochs(db: Db, most: number): Promise<number> {
  const [row] = await query<{ n: number }>(
    db,
    sql`with gone as (
          delete from device_epochs where ctid = any(array(
            select old.ctid from (
                select device_id, max(number) as newest from device_epochs
                where number > ${epochsKept}::int group by device_id
              ) d join device_epochs old on old.device_id = d.device_id and old.number <= d.newest - ${epochsKept}::int
            limit ${most} for update of old skip locked))
          returning 1)
        select count(*)::int as n from gone`,
  );
  return row!.n;
}

/** Of reports a (device, component, order), positionally: whether a newer one is stored already. */
export async function findOutdated(
  db: Db,
  reports: { deviceId: string; component: string; order: Order }[],
): Promise<boolean[]> {
  if (reports.length === 0) return [];
  const keys = reports.map(({ deviceId, component, order: [epoch, boot, n] }, i) => ({
    i,
    deviceId,
    component,
    epoch,
    boot,
    n,
  }));
  const rows = await query<{ i: number }>(
    db,
    sql`select v.i from components c
        join jsonb_to_recordset(${JSON.stringify(keys)}::jsonb)
          as v(i int, "deviceId" text, component text, epoch int, boot bigint, n bigint)
          on c.device_id = v."deviceId" and c.component = v.component
        where (c.epoch_number, c.boot_seq, c.seq_number) > (v.epoch, v.boot, v.n)`,
  );
  const outdated = new Set(rows.map((row) => row.i));
  return reports.map((_, i) => outdated.has(i));
}

/**
 * Reports must come one a (device, component): the newest of the group. Older ones than stored are left out. Answers the components
 * that some device has reported for the first time.
 */
export async function recordRunning(db: Db, reports: RunningReport[]): Promise<string[]> {
  const rows = reports
    .map(({ order: [epochNumber, bootSeq, seqNumber], ...rest }) => ({
      ...rest,
      epochNumber,
      bootSeq,
      seqNumber,
    }))
    .sort((a, b) => (`${a.deviceId}/${a.component}` < `${b.deviceId}/${b.component}` ? -1 : 1));
  const stored = await query<{ component: string; isFirst: boolean }>(
    db,
    sql`
    insert into components
      (device_id, component, hardware, version, sha256, security_version, undo, patch, compressed, seal, epoch_number, boot_seq, seq_number,
       reported_at)
    select v."deviceId", v.component, v.hardware, v.version, v.sha256, v."securityVersion", coalesce(v.undo, false), v.patch, coalesce(v.compressed, false), v.seal, v."epochNumber", v."bootSeq", v."seqNumber", now()
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      as v("deviceId" text, component text, hardware text, version text, sha256 text, "securityVersion" int, undo boolean, patch text, compressed boolean, seal text, "epochNumber" int, "bootSeq" int, "seqNumber" int)
    on conflict (device_id, component) do update
    set version = excluded.version, hardware = coalesce(excluded.hardware, components.hardware), sha256 = excluded.sha256,
        previous_sha256 = case when components.sha256 = excluded.sha256 then components.previous_sha256 else components.sha256 end,
        security_version = excluded.security_version, undo = excluded.undo, patch = excluded.patch, compressed = excluded.compressed, seal = excluded.seal,
        epoch_number = excluded.epoch_number, boot_seq = excluded.boot_seq, seq_number = excluded.seq_number, reported_at = excluded.reported_at
    where (components.epoch_number, components.boot_seq, components.seq_number)
      < (excluded.epoch_number, excluded.boot_seq, excluded.seq_number)
    returning component, xmax::text = '0' as "isFirst"`,
  );
  return stored.filter((row) => row.isFirst).map((row) => row.component);
}

export async function recordHealth(db: Db, rows: { deviceId: string; health: unknown }[]): Promise<void> {
  if (rows.length === 0) return;
  await db.execute(sql`
    update devices d set health = v.health
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as v("deviceId" text, health jsonb)
    where d.id = v."deviceId"`);
}

/** Columns that count devices by how they can be reached: each is in one of the three. `sleeping`: seen before, and offline now. */
export const presenceCounts = (devices: SQL): SQL => sql`
  count(*) filter (where ${devices}.online)::int as "online",
  count(*) filter (where not ${devices}.online and ${devices}.last_seen_at is not null)::int as "sleeping",
  count(*) filter (where not ${devices}.online and ${devices}.last_seen_at is null)::int as "neverSeen"`;
export type PresenceCounts = { online: number; sleeping: number; neverSeen: number };

/** Locks the rows that the functions above will write, in id order: groups of two copies then never wait in a circle. */
export async function lock(db: Db, ids: string[]): Promise<void> {
  if (ids.length === 0) return;
  await db.execute(
    sql`select id from devices where id ${anyOf(ids)}
        order by id for no key update`,
  );
}

/** Those of the devices that are subscribed; none of them changes until the transaction ends. */
export async function lockReachable(db: Db, ids: string[]): Promise<Set<string>> {
  const rows = await query<{ id: string; reachable: boolean }>(
    db,
    sql`select id, reachable from devices
        where id ${anyOf(ids)}
        order by id for share`,
  );
  return new Set(rows.filter((row) => row.reachable).map((row) => row.id));
}

/** Of those that are in a region. */
export async function regionsOf(db: Db, ids: string[]): Promise<Map<string, string>> {
  const rows = await query<{ id: string; region: string }>(
    db,
    sql`select id, region_id as region from devices
        where region_id is not null and id ${anyOf(ids)}`,
  );
  return new Map(rows.map(({ id, region }) => [id, region]));
}

export interface Connection {
  id: string;
  /** Of the certificate of its present or last connection. */
  certificateSerial: string | null;
  blocked: boolean;
}

export async function listConnections(db: Db, ids: string[]): Promise<Connection[]> {
  const rows = await query<{ id: string; serial: string | null; blocked: boolean }>(
    db,
    sql`select id, certificate_serial as serial, blocked from devices
        where id ${anyOf(ids)}`,
  );
  return rows.map(({ id, serial, blocked }) => ({ id, certificateSerial: serial, blocked }));
}

export async function setBlocked(db: Db, rows: { id: string; blocked: boolean }[]): Promise<void> {
  await db.execute(sql`
    update devices d set blocked = v.blocked
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as v(id text, blocked boolean)
    where d.id = v.id`);
}

export async function listBlockedOnline(db: Db, limit: number): Promise<string[]> {
  const rows = await query<{ id: string }>(
    db,
    sql`select id from devices where blocked and online order by id limit ${limit}`,
  );
  return rows.map((row) => row.id);
}

/** The clock went back: or no connection and no silence of the next day would count as newer. */
export async function dropFuture(db: Db, now: number): Promise<void> {
  await db.execute(sql`
    update devices d
    set connected_at = least(d.connected_at, ${at(now)}), last_seen_at = least(d.last_seen_at, ${at(now)})
    from (
      select id from devices where connected_at > ${at(now + skewMs)} or last_seen_at > ${at(now + skewMs)}
      order by id for no key update
    ) ahead
    where d.id = ahead.id`);
}

/** By so much the broker's clock may be ahead of the database's. */
const skewMs = 60_000;
