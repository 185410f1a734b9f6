/** Regions and divisions: alike but for their names. */
import { and, asc, count, eq, getTableColumns, type SQL, sql } from 'drizzle-orm';
import type { PgTable } from 'drizzle-orm/pg-core';
import { record } from '../audit/audit.ts';
import { type Db, foreignKeyViolation, sqlState, uniqueViolation } from '../db/query.ts';
import { AppError } from '../errors.ts';
import { everything, type Reach } from './reach.ts';
import { devices, divisions, regions } from './table.ts';
import { defaultTimeZone } from './time-zone.ts';

export type Place = 'regions' | 'divisions';
const places = {
  regions: { table: regions, column: devices.regionId },
  divisions: { table: divisions, column: devices.divisionId },
};

export interface PlaceView {
  id: string;
  name: string;
  devices: number;
}
export type RegionView = PlaceView & { timeZone: string };
type View<P extends Place> = P extends 'regions' ? RegionView : PlaceView;
/** Only regions have a time zone. */
export type PlaceChange<P extends Place> = P extends 'regions'
  ? { name?: string | undefined; timeZone?: string | undefined }
  : { name?: string | undefined };

/** By name, with how many devices each has: those that the reach names, or has a device in. */
export async function list<P extends Place>(db: Db, reach: Reach, place: P): Promise<View<P>[]> {
  return select(db, place, reach)
    .having(isWithin(reach, place))
    .orderBy(asc(places[place].table.name)) as unknown as Promise<View<P>[]>;
}

export async function create<P extends Place>(
  db: Db,
  place: P,
  input: PlaceChange<P> & { name: string; id?: string },
  actor: string,
): Promise<View<P>> {
  const { table } = places[place];
  try {
    return await db.transaction(async (tx) => {
      const [row] = await tx.insert(table).values(input).returning();
      await record(tx, { actor, action: `${place}.create`, subject: row!.id, detail: { ...input } });
      return { ...row!, devices: 0 } as unknown as View<P>;
    });
  } catch (error) {
    throw asTaken(error, input.name);
  }
}

export async function change<P extends Place>(
  db: Db,
  place: P,
  id: string,
  input: PlaceChange<P>,
  actor: string,
): Promise<View<P>> {
  const { table } = places[place];
  try {
    return await db.transaction(async (tx) => {
      const [row] = await tx.update(table).set(input).where(eq(table.id, id)).returning();
      if (!row) throw notFound();
      const [view] = await select(tx, place).where(eq(table.id, id));
      const action = input.name === undefined ? 'change' : 'rename';
      await record(tx, { actor, action: `${place}.${action}`, subject: id, detail: { ...input } });
      return view as unknown as View<P>;
    });
  } catch (error) {
    throw asTaken(error, input.name ?? '');
  }
}

/** Of all regions, and of devices without one. */
export async function listTimeZones(db: Db): Promise<string[]> {
  const rows = await db.selectDistinct({ timeZone: regions.timeZone }).from(regions);
  return [...new Set([defaultTimeZone, ...rows.map((row) => row.timeZone)])];
}

/** Throws `in_use` while a device or a notification rule is of it. */
export async function remove(db: Db, place: Place, id: string, actor: string): Promise<void> {
  const { table } = places[place];
  try {
    await db.transaction(async (tx) => {
      const [row] = await tx.delete(table).where(eq(table.id, id)).returning();
      if (!row) throw notFound();
      await record(tx, { actor, action: `${place}.delete`, subject: id, detail: { name: row.name } });
    });
  } catch (error) {
    if (sqlState(error) !== foreignKeyViolation) throw error;
    throw new AppError(
      'in_use',
      'Devices or notification rules are still of it: move them elsewhere first.',
      { cause: error },
    );
  }
}

function isWithin({ limits }: Reach, place: Place): SQL | undefined {
  if (limits === null) return undefined;
  const { table } = places[place];
  return sql`count(${devices.id}) > 0 or ${table.id}::text in (
    select value from jsonb_array_elements_text(${JSON.stringify(limits[place])}::jsonb))`;
}

function select(db: Db, place: Place, reach = everything) {
  const { table, column } = places[place];
  return db
    .select({ ...getTableColumns(table), devices: count(devices.id) })
    .from(table as PgTable)
    .leftJoin(devices, and(eq(column, table.id), reach.on()))
    .groupBy(table.id)
    .$dynamic();
}

function notFound(): AppError {
  return new AppError('not_found', 'There is no such place.');
}

function asTaken(error: unknown, name: string): unknown {
  if (sqlState(error) !== uniqueViolation) return error;
  return new AppError('name_taken', `${name} is there already.`, { cause: error });
}
