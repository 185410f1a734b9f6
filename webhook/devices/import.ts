/** Registers devices from CSV. What is wrong with a line is told beside it; the other lines go in, all in one transaction. */
import { randomUUID } from 'node:crypto';
import { inArray, sql } from 'drizzle-orm';
import { z } from 'zod';
import { deviceIdSchema } from '#emqx/protocol.ts';
import { record } from '../audit/audit.ts';
import { type Db, foreignKeyViolation, query, sqlState } from '../db/query.ts';
import { markJoinable } from '../deployments/store.ts';
import { AppError, type FieldError } from '../errors.ts';
import { inOneLine, toFieldErrors } from '../field-errors.ts';
import { parseCsv } from './csv.ts';
import { hardwareSchema, maxTags, nameSchema, tagSchema } from './fields.ts';
import * as places from './places.ts';
import { everything } from './reach.ts';
import { devices } from './table.ts';

const columns = ['id', 'hardware', 'name', 'region', 'division', 'tags'] as const;
const maxLines = 50_000;
const rowsAtOnce = 5_000;

const lineSchema = z.object({
  id: deviceIdSchema,
  hardware: hardwareSchema,
  name: nameSchema.optional(),
  region: z.string().optional(),
  division: z.string().optional(),
  tags: z.array(tagSchema).max(maxTags).default([]),
});

export interface ImportReport {
  dryRun: boolean;
  created: number;
  updated: number;
  refused: number;
  /** Regions and divisions that lines name and that are not there, with how many lines name each; with `makePlaces` they are (or would be) made. */
  missing: Record<places.Place, { name: string; lines: number }[]>;
  /** `message` has all problems of the line in one. */
  lines: { line: number; id: string; outcome: Outcome; message: string | null; problems?: FieldError[] }[];
}
type Outcome = 'created' | 'updated' | 'refused';
const registered: FieldError = { path: 'id', message: 'is registered already', rule: 'registered' };

type Row = Omit<z.infer<typeof lineSchema>, 'region' | 'division'> & {
  name: string;
  region: string | null;
  division: string | null;
};

/**
 * Regions and divisions go by name; one that is not there is made with `makePlaces`, or its lines are refused. A registered device is refused unless `update` says to
 * overwrite what the file has columns for.
 */
export async function importCsv(
  db: Db,
  csv: string,
  options: { update: boolean; dryRun: boolean; makePlaces: boolean },
  actor: string,
): Promise<ImportReport> {
  const [header, ...lines] = parseCsv(csv);
  const names = readHeader(header?.fields ?? []);
  if (lines.length > maxLines) {
    throw new AppError('invalid_request', `The file has more than ${maxLines} lines: split it.`);
  }
  const report: ImportReport = {
    dryRun: options.dryRun,
    created: 0,
    updated: 0,
    refused: 0,
    missing: { regions: [], divisions: [] },
    lines: [],
  };
  const note = (line: number, id: string, outcome: Outcome, problems?: FieldError[]) => {
    report[outcome] += 1;
    report.lines.push({
      line,
      id,
      outcome,
      message: problems ? inOneLine(problems) : null,
      ...(problems && { problems }),
    });
  };
  const regions = await openPlaces(db, 'regions', options.makePlaces);
  const divisions = await openPlaces(db, 'divisions', options.makePlaces);

  const rows = new Map<string, { line: number; row: Row }>();
  for (const { line, fields } of lines) {
    const given = Object.fromEntries(names.map((name, i) => [name, fields[i]?.trim() || undefined]));
    const id = given.id ?? '';
    const parsed = lineSchema.safeParse({ ...given, tags: given.tags?.split(/[;\s]+/).filter(Boolean) });
    const problems = toFieldErrors(parsed.error?.issues ?? []);
    if (fields.length > names.length) {
      const values = { fields: fields.length, columns: names.length };
      const message = `${values.fields} fields under ${values.columns} columns`;
      problems.push({ path: '', message, rule: 'too_many_fields', values });
    }
    const region = regions.find(given.region, problems);
    const division = divisions.find(given.division, problems);
    const earlier = rows.get(id);
    if (earlier) {
      const message = `is on line ${earlier.line} already`;
      problems.push({ path: 'id', message, rule: 'on_line', values: { line: earlier.line } });
    }
    if (problems.length || !parsed.data) note(line, id, 'refused', problems);
    else rows.set(id, { line, row: { ...parsed.data, name: parsed.data.name ?? id, region, division } });
  }

  await db
    .transaction(async (tx) => {
      if (!options.dryRun) {
        const used = new Set([...rows.values()].flatMap(({ row }) => [row.region, row.division]));
        for (const place of [regions, divisions]) await place.make(tx, used, actor);
      }
      const all = [...rows.values()].sort((a, b) => (a.row.id < b.row.id ? -1 : 1));
      for (let i = 0; i < all.length; i += rowsAtOnce) {
        const some = all.slice(i, i + rowsAtOnce);
        const outcomes = options.dryRun
          ? await foresee(tx, some, options.update)
          : await write(tx, some, options.update ? names : null);
        for (const { line, row } of some) {
          const outcome = outcomes.get(row.id);
          if (outcome) note(line, row.id, outcome);
          else note(line, row.id, 'refused', [registered]);
        }
      }
      const { created, updated, refused } = report;
      if (created + updated > 0 && !options.dryRun) {
        await markJoinable(tx);
        const detail = { created, updated, refused };
        await record(tx, { actor, action: 'device.import', subject: 'devices', detail });
      }
    })
    .catch((error: unknown) => {
      if (sqlState(error) !== foreignKeyViolation) throw error;
      throw new AppError('unknown_reference', 'A region or division was deleted meanwhile.', {
        cause: error,
      });
    });
  report.missing = { regions: regions.missing(), divisions: divisions.missing() };
  report.lines.sort((a, b) => a.line - b.line);
  return report;
}

function readHeader(fields: string[]): string[] {
  const names = fields.map((f) => f.trim().toLowerCase());
  const unknown = names.filter((n) => !(columns as readonly string[]).includes(n));
  if (
    !names.includes('id') ||
    !names.includes('hardware') ||
    unknown.length ||
    new Set(names).size < names.length
  ) {
    throw new AppError(
      'invalid_request',
      `The first line must name the columns: id and hardware, and any of ${columns.slice(2).join(', ')}.`,
    );
  }
  return names;
}

/** The places of a kind by name, and those that lines miss. A place to be made has its id at once, and its row with `make`. */
async function openPlaces(db: Db, place: places.Place, make: boolean) {
  const ids = new Map((await places.list(db, everything, place)).map(({ id, name }) => [name, id]));
  const missing = new Map<string, number>();
  const toMake = new Map<string, string>();
  return {
    find(name: string | undefined, problems: FieldError[]): string | null {
      if (name === undefined) return null;
      const id = ids.get(name);
      if (id) return id;
      missing.set(name, (missing.get(name) ?? 0) + 1);
      const good = nameSchema.safeParse(name).success;
      if (!make || !good) {
        problems.push({
          path: place.slice(0, -1),
          message: `there is none named ${name}`,
          rule: 'none_named',
          values: { name },
        });
        return null;
      }
      if (!toMake.has(name)) toMake.set(name, randomUUID());
      return toMake.get(name)!;
    },
    missing: () => [...missing].map(([name, lines]) => ({ name, lines })),
    async make(tx: Db, used: Set<string | null>, actor: string): Promise<void> {
      for (const [name, id] of toMake) if (used.has(id)) await places.create(tx, place, { id, name }, actor);
    },
  };
}

type Outcomes = Map<string, 'created' | 'updated'>;

async function foresee(db: Db, rows: { row: Row }[], update: boolean): Promise<Outcomes> {
  const ids = rows.map(({ row }) => row.id);
  const found = await db.select({ id: devices.id }).from(devices).where(inArray(devices.id, ids));
  const known = new Set(found.map((f) => f.id));
  return new Map(
    ids.flatMap((id) => (known.has(id) ? (update ? [[id, 'updated']] : []) : [[id, 'created']]) as never),
  );
}

const written: Record<string, string> = { region: 'region_id', division: 'division_id' };

/** `overwrites`: columns of the file, which registered devices take; what it does not name they keep. Null: they take nothing. */
async function write(db: Db, rows: { row: Row }[], overwrites: string[] | null): Promise<Outcomes> {
  const columns = (overwrites ?? [])
    .filter((name) => name !== 'id')
    .map((name) => sql.identifier(written[name] ?? name));
  const found = await query<{ id: string; created: boolean }>(
    db,
    sql`insert into devices (id, name, hardware, region_id, division_id, tags)
        select v.id, v.name, v.hardware, v.region, v.division,
          array(select jsonb_array_elements_text(v.tags))
        from jsonb_to_recordset(${JSON.stringify(rows.map(({ row }) => row))}::jsonb)
          as v(id text, name text, hardware text, region uuid, division uuid, tags jsonb)
        on conflict (id) ${
          overwrites
            ? sql`do update set ${sql.join(
                columns.map((column) => sql`${column} = excluded.${column}`),
                sql`, `,
              )}`
            : sql`do nothing`
        }
        returning id, xmax::text = '0' as created`,
  );
  return new Map(found.map(({ id, created }) => [id, created ? 'created' : 'updated']));
}
