/** The fleet's vulnerabilities: what was found in its firmwares, what was judged of it, and how many devices run it. */
import { desc, eq, type SQL, sql } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import { Order, type Paging, readPage } from '../db/keyset.ts';
import { type Db, foreignKeyViolation, query, sqlList, sqlState } from '../db/query.ts';
import { contains } from '../db/search.ts';
import type { Reach } from '../devices/reach.ts';
import { runningCounts } from '../devices/tallies.ts';
import { AppError } from '../errors.ts';
import * as firmware from '../firmware/firmware.ts';
import { countByFirmware, countTogether, imageOf } from './exposure.ts';
import { advisories, vexStatements } from './table.ts';
import { harmlessStatuses, readVex, type Statement, type VexJustification, type VexStatus } from './vex.ts';

/** Of one vulnerability in one firmware. */
export interface Finding extends Record<string, unknown> {
  vulnerability: string;
  firmwareId: string;
  firmware: string;
  firmwareVersion: string;
  hardware: string;
  package: string;
  version: string;
  fixedIn: string | null;
  /** Null: nobody has judged it yet, and it counts as affected. */
  status: VexStatus | null;
  justification: VexJustification | null;
  note: string | null;
  author: string | null;
}

/** `where` is about `g`. The statement of the firmware goes before that of all; the newest of them holds. */
const judged = (where = sql`true`) => sql`
  select distinct on (g.vulnerability, g.firmware_id) g.vulnerability, g.firmware_id as "firmwareId", f.name as firmware,
    f.version as "firmwareVersion", f.hardware, g.package, g.version, g.fixed_in as "fixedIn", v.status, v.justification, v.note, v.author
  from findings g join firmwares f on f.id = g.firmware_id
  left join lateral (select status, justification, note, author from vex_statements s
    where s.vulnerability = g.vulnerability and (s.firmware_id = g.firmware_id or s.firmware_id is null)
    order by s.firmware_id is null, s.id desc limit 1) v on true
  where ${where} order by g.vulnerability, g.firmware_id, g.package, g.version`;

const isOpen = sql`(status is null or status not in ${sqlList(harmlessStatuses)})`;

export interface Summary {
  vulnerability: string;
  summary: string;
  severity: string | null;
  packages: string[];
  firmwares: number;
  /** Which run what has it and was not judged harmless. */
  devices: number;
  /** Of its firmwares; `open`: not judged. */
  statuses: Partial<Record<VexStatus | 'open', number>>;
}

export interface SummaryFilter extends Paging {
  /** `open`: where a firmware is not judged harmless. */
  state: 'open' | 'all';
  search?: string | undefined;
}

const worstFirst = new Order('vulnerabilities', [
  { by: sql`devices`, type: 'int', descends: true },
  { by: sql`vulnerability`, type: 'text', descends: true },
]);

/** What most devices have first, then by name, newest year first. */
export async function list(
  db: Db,
  reach: Reach,
  filter: SummaryFilter,
): Promise<{ items: Summary[]; total: number; next: string | null }> {
  const has = (column: SQL) => contains(column, filter.search!);
  const where = filter.search ? sql`(${has(sql`g.vulnerability`)} or ${has(sql`g.package`)})` : sql`true`;
  type Row = {
    vulnerability: string;
    packages: string[];
    firmwares: number;
    devices: number;
    /** Of several components. */
    images: string[] | null;
    statuses: Summary['statuses'];
    total: number;
    key: string[];
  };
  const { rows, next } = await readPage(worstFirst, filter, (behind = sql`true`, limit, offset) =>
    query<Row>(
      db,
      sql`with judged as materialized (${judged(where)}),
      running as materialized (${runningCounts(reach)}),
      exposed as (
        select vulnerability, coalesce(sum(r.devices), 0)::int as devices,
          case when count(distinct f.component) > 1 then json_agg(distinct ${imageOf('f')}) end as images
        from (select distinct vulnerability, component, sha256 from judged j join firmwares f on f.id = j."firmwareId" where ${isOpen}) f
        left join running r on r.component = f.component and r.sha256 = f.sha256 group by vulnerability),
      summed as (
        select vulnerability, array_agg(distinct package) as packages, count(*)::int as firmwares from judged group by vulnerability),
      counted as (
        select s.*, coalesce(e.devices, 0) as devices, e.images, (count(*) over ())::int as total
        from summed s left join exposed e on e.vulnerability = s.vulnerability
        where ${filter.state === 'all'} or e.vulnerability is not null)
      select s.vulnerability, packages, firmwares, devices, images, total, ${worstFirst.key} as key,
        (select jsonb_object_agg(status, n) from (select coalesce(j.status, 'open') as status, count(*) as n from judged j
          where j.vulnerability = s.vulnerability group by 1) of_each) as statuses
      from counted s where ${behind}
      order by devices desc, vulnerability desc limit ${limit} offset ${offset}`,
    ),
  );
  const several = rows.filter(({ images }) => images !== null);
  const counts = await countTogether(
    db,
    reach,
    several.map(({ images }) => images!),
  );
  for (const [i, row] of several.entries()) row.devices = counts[i]!;
  const told = await describe(
    db,
    rows.map(({ vulnerability }) => vulnerability),
  );
  const items = rows.map(({ total: _, images: __, ...row }) => ({ ...row, ...told.get(row.vulnerability)! }));
  return { items, total: rows[0]?.total ?? 0, next };
}

type Told = { summary: string; severity: string | null };

async function describe(db: Db, names: string[]): Promise<Map<string, Told>> {
  if (names.length === 0) return new Map();
  const rows = await query<Told & { vulnerability: string }>(
    db,
    sql`select vulnerability, max(case when summary = '' then left(details, 200) else summary end) as summary,
        max(severity) as severity
      from advisories where vulnerability in (${sql.join(
        names.map((name) => sql`${name}`),
        sql`, `,
      )}) group by vulnerability`,
  );
  return new Map(rows.map(({ vulnerability, ...told }) => [vulnerability, told]));
}

/** What the feeds say of it. Throws `not_found`. */
export async function getAdvisories(db: Db, vulnerability: string) {
  const rows = await db
    .select()
    .from(advisories)
    .where(eq(advisories.vulnerability, vulnerability))
    .orderBy(advisories.id);
  if (rows.length === 0)
    throw new AppError('not_found', 'No feed that was imported has such a vulnerability.');
  return rows;
}

/** Each firmware that has it, with how many devices run that. */
export async function listFindings(
  db: Db,
  reach: Reach,
  vulnerability: string,
): Promise<(Finding & { devices: number })[]> {
  const found = await query<Finding>(db, judged(sql`g.vulnerability = ${vulnerability}`));
  const counts = await countByFirmware(
    db,
    reach,
    found.map(({ firmwareId }) => firmwareId),
  );
  return found
    .map((one) => ({ ...one, devices: counts.get(one.firmwareId) ?? 0 }))
    .sort((a, b) => b.devices - a.devices || (a.firmwareVersion < b.firmwareVersion ? 1 : -1));
}

/** Those that have it and were not judged harmless. */
export async function listOpenFirmwares(db: Db, vulnerability: string): Promise<string[]> {
  const found = await query<Finding>(db, judged(sql`g.vulnerability = ${vulnerability}`));
  return found.filter((one) => !harmless(one)).map(({ firmwareId }) => firmwareId);
}

export const harmless = ({ status }: Pick<Finding, 'status'>): boolean =>
  (harmlessStatuses as readonly (string | null)[]).includes(status);

/** Of one firmware. */
export async function listForFirmware(db: Db, firmwareId: string): Promise<Finding[]> {
  return query<Finding>(db, judged(sql`g.firmware_id = ${firmwareId}::uuid`));
}

/** All that was ever stated of it, newest first. */
export async function listStatements(db: Db, vulnerability: string) {
  return db
    .select()
    .from(vexStatements)
    .where(eq(vexStatements.vulnerability, vulnerability))
    .orderBy(desc(vexStatements.id));
}

export type NewStatement = Omit<Statement, 'author'> & { firmwareId: string | null };

/** Adds to what was stated before; nothing is overwritten. Throws `unknown_reference`. */
export async function state(context: Context, input: NewStatement, actor: string): Promise<void> {
  await getAdvisories(context.db, input.vulnerability);
  await context.db
    .transaction(async (tx) => {
      await tx.insert(vexStatements).values({ ...input, author: actor, createdBy: actor });
      const { vulnerability, ...detail } = input;
      await record(tx, { actor, action: 'vulnerability.state', subject: vulnerability, detail });
    })
    .catch((error: unknown) => {
      if (sqlState(error) !== foreignKeyViolation) throw error;
      throw new AppError('unknown_reference', 'There is no such firmware.', { cause: error });
    });
  context.live.changed('vulnerability', input.vulnerability);
}

/** A document of somebody, about one firmware. Throws `vex_invalid`. */
export async function importVex(
  context: Context,
  firmwareId: string,
  source: string,
  actor: string,
): Promise<number> {
  await firmware.get(context.db, firmwareId);
  const statements = readVex(source, actor);
  await context.db.transaction(async (tx) => {
    const rows = statements.map((one) => ({ ...one, firmwareId, createdBy: actor }));
    for (let at = 0; at < rows.length; at += 1_000)
      await tx.insert(vexStatements).values(rows.slice(at, at + 1_000));
    await record(tx, {
      actor,
      action: 'firmware.vex',
      subject: firmwareId,
      detail: { statements: rows.length },
    });
  });
  context.live.changed('vulnerability', 'vex');
  return statements.length;
}
