/** Crash groups as people look at them. */
import { type SQL, sql } from 'drizzle-orm';
import type { Context } from '../context.ts';
import { Order, type Paging, readPage } from '../db/keyset.ts';
import { type Db, query } from '../db/query.ts';
import { AppError } from '../errors.ts';
import * as elfs from './elfs.ts';
import { framesOf } from './signature.ts';
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

const ofElf = sql`left(e.sha256, length(g.elf)) = g.elf`;
const isOf = (firmwareId: string | undefined): SQL =>
  firmwareId === undefined
    ? sql`true`
    : sql`exists (select 1 from firmware_elfs e where e.firmware_id = ${firmwareId}::uuid and ${ofElf})`;

const lastSeenFirst = new Order('crashes', [
  { by: sql`g.last_seen_at`, type: 'timestamptz', descends: true },
  { by: sql`g.id`, type: 'uuid', descends: true },
]);

function read(db: Db, where: SQL, limit: number, offset = 0): Promise<Row[]> {
  return query<Row>(
    db,
    sql`select ${lastSeenFirst.key} as key, g.id, g.elf, g.reason, g.frames, g.symbols, g.reports::int as reports, g.devices,
          g.first_seen_at as first, g.last_seen_at as last, (
            select jsonb_build_object('id', f.id, 'name', f.name, 'version', f.version)
            from firmware_elfs e join firmwares f on f.id = e.firmware_id where ${ofElf}
            order by f.created_at desc limit 1) as firmware
        from crash_groups g where ${where} order by ${sql.join(lastSeenFirst.by, sql`, `)} limit ${limit} offset ${offset}`,
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
  { firmwareId, ...paging }: { firmwareId?: string | undefined } & Paging,
): Promise<{ items: Group[]; total: number; next: string | null }> {
  const where = isOf(firmwareId);
  const [counted] = await query<{ n: number }>(
    db,
    sql`select count(*)::int as n from crash_groups g where ${where}`,
  );
  const { rows, next } = await readPage(lastSeenFirst, paging, (behind, limit, offset) =>
    read(db, behind ? sql`${where} and ${behind}` : where, limit, offset),
  );
  return { items: rows.map(toGroup), total: counted!.n, next };
}

/** How many reports on each of the last days (UTC), those without any included; oldest first. */
export async function trendOf(
  db: Db,
  of: { firmwareId?: string | undefined; groupId?: string | undefined },
): Promise<{ day: string; reports: number }[]> {
  const where = of.groupId === undefined ? isOf(of.firmwareId) : sql`g.id = ${of.groupId}::uuid`;
  return query<{ day: string; reports: number }>(
    db,
    sql`select to_char(d.day, 'YYYY-MM-DD') as day, coalesce(n.reports, 0)::int as reports
        from generate_series((now() at time zone 'UTC')::date - ${trendDays - 1}::int, (now() at time zone 'UTC')::date, interval '1 day') as d(day)
        left join (
          select c.day, sum(c.reports) as reports from crash_days c join crash_groups g on g.id = c.group_id where ${where} group by c.day
        ) n on n.day = d.day::date
        order by d.day`,
  );
}

/** `no_elf`: none is uploaded that the group's is the beginning of. `no_tool`: nothing is installed here that could read it. */
export const symbolStates = ['known', 'no_elf', 'no_tool', 'failed'] as const;
export type SymbolState = (typeof symbolStates)[number];

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
export async function get(context: Context, id: string): Promise<GroupPage> {
  const { db } = context;
  const [row] = await read(db, sql`g.id = ${id}::uuid`, 1);
  if (!row) throw new AppError('not_found', 'There is no such group of crashes.');
  const [newest] = await query<{ pc: string; backtrace: string[]; corrupted: boolean; task: string | null }>(
    db,
    sql`select pc, backtrace, corrupted, task from crash_reports where group_id = ${id}::uuid order by id desc limit 1`,
  );
  const frames = newest ? framesOf(newest) : row.frames;
  const { symbols, state } = await symbolise(context, row, frames);
  const affected = await query<{ device: string; at: string; reports: number }>(
    db,
    sql`select device_id as device, last_seen_at as at, reports::int as reports from crash_group_devices
        where group_id = ${id}::uuid order by last_seen_at desc, device_id limit ${affectedAtMost}`,
  );
  return {
    ...toGroup({ ...row, symbols }),
    backtrace: frames.map((address) => ({ address, calls: symbols[address] ?? [] })),
    corrupted: newest?.corrupted ?? false,
    task: newest?.task ?? null,
    symbols: state,
    affected: affected.map(({ at, ...one }) => ({ ...one, lastSeenAt: new Date(at).toISOString() })),
    trend: await trendOf(db, { groupId: id }),
  };
}

async function symbolise(
  context: Context,
  { id, elf, symbols }: Row,
  frames: string[],
): Promise<{ symbols: Row['symbols']; state: SymbolState }> {
  const unknown = frames.filter((address) => !Object.hasOwn(symbols, address));
  if (unknown.length === 0) return { symbols, state: 'known' };
  const uploaded = await elfs.findUploaded(context.db, elf);
  if (!uploaded) return { symbols, state: 'no_elf' };
  const { symboliser } = context;
  if (symboliser.tool === null) return { symbols, state: 'no_tool' };
  try {
    const found = await symboliser.symbolise([...new Set(unknown)], (path) =>
      elfs.fetchTo(context, uploaded, path),
    );
    // Of this report's calls alone, so that a group whose reports end differently does not grow.
    const all = Object.fromEntries(
      frames.map((address) => [address, symbols[address] ?? found[address] ?? []]),
    );
    await context.db.execute(
      sql`update crash_groups set symbols = ${JSON.stringify(all)}::jsonb where id = ${id}::uuid`,
    );
    return { symbols: all, state: 'known' };
  } catch (error) {
    context.log('warn', 'a crash cannot be symbolised', { group: id, error });
    return { symbols, state: 'failed' };
  }
}

/** Groups that wait for the ELF that has come: so many get the names of their first calls, in one run. */
const waitingAtMost = 100;

export async function symboliseWaiting(context: Context, elf: elfs.FirmwareElf): Promise<void> {
  const { db, log, symboliser } = context;
  if (symboliser.tool === null) return;
  const groups = await query<{ id: string; frames: string[] }>(
    db,
    sql`select id, frames from crash_groups where elf = left(${elf.sha256}::text, length(elf))
        order by last_seen_at desc limit ${waitingAtMost}`,
  );
  if (groups.length === 0) return;
  try {
    const addresses = [...new Set(groups.flatMap((group) => group.frames))];
    const found = await symboliser.symbolise(addresses, (path) => elfs.fetchTo(context, elf, path));
    const rows = groups.map(({ id, frames }) => ({
      id,
      symbols: Object.fromEntries(frames.map((address) => [address, found[address] ?? []])),
    }));
    await db.execute(sql`
      update crash_groups g set symbols = v.symbols
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as v(id uuid, symbols jsonb) where g.id = v.id`);
  } catch (error) {
    // Each page of a group tries again.
    log('warn', 'crashes cannot be symbolised', { firmware: elf.firmwareId, error });
  }
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
  id: string,
  paging: Paging,
): Promise<{ items: Report[]; total: number; next: string | null }> {
  const [group] = await query<{ n: number }>(
    db,
    sql`select (select count(*)::int from crash_reports where group_id = g.id) as n from crash_groups g where g.id = ${id}::uuid`,
  );
  if (!group) throw new AppError('not_found', 'There is no such group of crashes.');
  const { rows, next } = await readPage(newest, paging, (behind = sql`true`, limit, offset) =>
    query<Report & Record<string, unknown> & { key: string[] }>(
      db,
      sql`select ${newest.key} as key, device_id as device, at, reason, task, running_version as "runningVersion", pc, backtrace, corrupted
          from crash_reports where group_id = ${id}::uuid and ${behind} order by id desc limit ${limit} offset ${offset}`,
    ),
  );
  return { items: rows.map((row) => ({ ...row, at: new Date(row.at).toISOString() })), total: group.n, next };
}
