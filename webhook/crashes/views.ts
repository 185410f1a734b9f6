/** Crash groups as people look at them. */
import { type SQL, sql } from 'drizzle-orm';
import type { Context } from '../context.ts';
import { Order, type Paging, readPage } from '../db/keyset.ts';
import { type Db, query } from '../db/query.ts';
import type { Reach } from '../devices/reach.ts';
import { AppError } from '../errors.ts';
import { isElfOf } from './elfs.ts';
import { framesOf } from './signature.ts';
import { type SymbolState, symbolise } from './symbolised.ts';
import type { Call } from './symbols.ts';

export const trendDays = 30;

export interface Group {
  id: string;
  elf: string;
  reason: string;
  frames: string[];
  /** Of the crashed call, as far as it is known. */
  place: Call | null;
  /** The newest that was made from this ELF. */
  firmware: { id: string; name: string; version: string } | null;
  firstSeenAt: string;
  lastSeenAt: string;
  reports: number;
  devices: number;
}
interface Row extends Record<string, unknown> {
  id: string;
  elf: string;
  reason: string;
  frames: string[];
  symbols: Record<string, Call[]>;
  firmware: Group['firmware'];
  first: string;
  last: string;
  reports: number;
  devices: number;
  key: string[];
}

const ofElf = isElfOf(sql`g.elf`, { sha256: sql`e.sha256`, firmwareId: sql`e.firmware_id` });
const isOf = (firmwareId: string | undefined): SQL =>
  firmwareId === undefined
    ? sql`true`
    : sql`exists (select 1 from firmware_elfs e where e.firmware_id = ${firmwareId}::uuid and ${ofElf})`;

const lastSeenFirst = new Order('crashes', [
  { by: sql`g.last_seen_at`, type: 'timestamptz', descends: true },
  { by: sql`g.id`, type: 'uuid', descends: true },
]);

/** Groups with what is counted of them: of a limited reach only those that its devices are in, as if there were no others. */
function groupsWithin(reach: Reach): SQL {
  if (reach.limits === null) return sql`crash_groups g`;
  return sql`(
    select c.id, c.elf, c.frames, c.symbols, mine.* from crash_groups c join (
      select group_id, (array_agg(reason order by last_seen_at desc))[1] as reason, sum(reports) as reports,
        count(*)::int as devices, min(first_seen_at) as first_seen_at, max(last_seen_at) as last_seen_at
      from crash_group_devices d where ${reach.holds(sql`d.device_id`)} group by group_id) mine on mine.group_id = c.id) g`;
}

function read(
  db: Db,
  reach: Reach,
  where: SQL,
  { limit, offset }: { limit: number; offset: number },
): Promise<Row[]> {
  return query<Row>(
    db,
    sql`select ${lastSeenFirst.key} as key, g.id, g.elf, g.reason, g.frames, g.symbols, g.reports::int as reports, g.devices,
          g.first_seen_at as first, g.last_seen_at as last, (
            select jsonb_build_object('id', f.id, 'name', f.name, 'version', f.version)
            from firmware_elfs e join firmwares f on f.id = e.firmware_id where ${ofElf}
            order by f.created_at desc limit 1) as firmware
        from ${groupsWithin(reach)} where ${where} order by ${sql.join(lastSeenFirst.by, sql`, `)} limit ${limit} offset ${offset}`,
  );
}

function toGroup({ symbols, first, last, key: _, ...rest }: Row): Group {
  const iso = (text: string) => new Date(text).toISOString();
  const place = symbols[rest.frames[0]!]?.[0] ?? null;
  return { ...rest, place, firstSeenAt: iso(first), lastSeenAt: iso(last) };
}

/** Those that were seen last first. */
export async function list(
  db: Db,
  reach: Reach,
  { firmwareId, ...paging }: { firmwareId?: string | undefined } & Paging,
): Promise<{ items: Group[]; total: number; next: string | null }> {
  const where = isOf(firmwareId);
  const [counted] = await query<{ n: number }>(
    db,
    sql`select count(*)::int as n from ${groupsWithin(reach)} where ${where}`,
  );
  const { rows, next } = await readPage(lastSeenFirst, paging, (behind, limit, offset) =>
    read(db, reach, behind ? sql`${where} and ${behind}` : where, { limit, offset }),
  );
  return { items: rows.map(toGroup), total: counted!.n, next };
}

/**
 * How many reports on each of the last days (UTC), those without any included; oldest first. Days are counted for the whole fleet, so to a
 * limited reach they are told from the reports that are kept.
 */
export async function trendOf(
  db: Db,
  reach: Reach,
  of: { firmwareId?: string | undefined; groupId?: string | undefined },
): Promise<{ day: string; reports: number }[]> {
  const where = of.groupId === undefined ? isOf(of.firmwareId) : sql`g.id = ${of.groupId}::uuid`;
  const counted =
    reach.limits === null
      ? sql`select c.day, sum(c.reports) as reports from crash_days c join crash_groups g on g.id = c.group_id where ${where} group by c.day`
      : sql`select (r.at at time zone 'UTC')::date as day, count(*) as reports from crash_reports r join crash_groups g on g.id = r.group_id
            where ${where} and ${reach.holds(sql`r.device_id`)} group by 1`;
  return query<{ day: string; reports: number }>(
    db,
    sql`select to_char(d.day, 'YYYY-MM-DD') as day, coalesce(n.reports, 0)::int as reports
        from generate_series((now() at time zone 'UTC')::date - ${trendDays - 1}::int, (now() at time zone 'UTC')::date, interval '1 day') as d(day)
        left join (${counted}) n on n.day = d.day::date
        order by d.day`,
  );
}

export interface GroupPage extends Group {
  /** Of the newest report: each address with what it stands for, the innermost of inlined calls first. */
  backtrace: { address: string; calls: Call[] }[];
  corrupted: boolean;
  task: string | null;
  symbols: SymbolState;
  affected: { device: string; lastSeenAt: string; reports: number }[];
  trend: { day: string; reports: number }[];
}
const affectedAtMost = 100;

/** Throws `not_found`. Symbolises what has not been yet. */
export async function get(context: Context, reach: Reach, id: string): Promise<GroupPage> {
  const { db } = context;
  const [row] = await read(db, reach, sql`g.id = ${id}::uuid`, { limit: 1, offset: 0 });
  if (!row) throw new AppError('not_found', 'There is no such group of crashes.');
  const [newest] = await query<{ pc: string; backtrace: string[]; corrupted: boolean; task: string | null }>(
    db,
    sql`select pc, backtrace, corrupted, task from crash_reports r
        where group_id = ${id}::uuid and ${reach.holds(sql`r.device_id`)} order by id desc limit 1`,
  );
  const frames = newest ? framesOf(newest) : row.frames;
  const { symbols, state } = await symbolise(context, row, frames);
  const affected = await query<{ device: string; at: string; reports: number }>(
    db,
    sql`select device_id as device, last_seen_at as at, reports::int as reports from crash_group_devices d
        where group_id = ${id}::uuid and ${reach.holds(sql`d.device_id`)} order by last_seen_at desc, device_id limit ${affectedAtMost}`,
  );
  return {
    ...toGroup({ ...row, symbols }),
    backtrace: frames.map((address) => ({ address, calls: symbols[address] ?? [] })),
    corrupted: newest?.corrupted ?? false,
    task: newest?.task ?? null,
    symbols: state,
    affected: affected.map(({ at, ...one }) => ({ ...one, lastSeenAt: new Date(at).toISOString() })),
    trend: await trendOf(db, reach, { groupId: id }),
  };
}

export interface Report {
  device: string;
  at: string;
  reason: string;
  task: string | null;
  /** What ran when it was told. */
  runningVersion: string;
  pc: string;
  backtrace: string[];
  corrupted: boolean;
}

/** Newest first; of a group only the newest are kept. Throws `not_found`. */
const newest = new Order('crash reports', [{ by: sql`id`, type: 'int8', descends: true }]);

export async function listReports(
  db: Db,
  reach: Reach,
  id: string,
  paging: Paging,
): Promise<{ items: Report[]; total: number; next: string | null }> {
  const within = reach.holds(sql`r.device_id`);
  const [group] = await query<{ n: number }>(
    db,
    sql`select (select count(*)::int from crash_reports r where group_id = g.id and ${within}) as n
        from ${groupsWithin(reach)} where g.id = ${id}::uuid`,
  );
  if (!group) throw new AppError('not_found', 'There is no such group of crashes.');
  const { rows, next } = await readPage(newest, paging, (behind = sql`true`, limit, offset) =>
    query<Report & Record<string, unknown> & { key: string[] }>(
      db,
      sql`select ${newest.key} as key, device_id as device, at, reason, task, running_version as "runningVersion", pc, backtrace, corrupted
          from crash_reports r where group_id = ${id}::uuid and ${within} and ${behind} order by id desc limit ${limit} offset ${offset}`,
    ),
  );
  return { items: rows.map((row) => ({ ...row, at: new Date(row.at).toISOString() })), total: group.n, next };
}
