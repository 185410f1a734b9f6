/** Regions and divisions: alike but for their names. */
import { asc, eq, getTableColumns, type SQL, sql } from 'drizzle-orm';
import type { PgTable } from 'drizzle-orm/pg-core';
import { record } from '../audit/audit.ts';
import { orNameTaken } from '../db/name-taken.ts';
import { anyOf, type Db, foreignKeyViolation, sqlState } from '../db/query.ts';
import { anything } from '../db/revision.ts';
import { AppError } from '../errors.ts';
import { everything, type Reach } from './reach.ts';
import { divisions, regions } from './table.ts';
import { deviceTalliesWithin } from './tallies.ts';
import { defaultTimeZone } from './time-zone.ts';

export type Place = 'regions' | 'divisions';
const places = {
  regions: { table: regions, column: sql.identifier('region_id') },
  divisions: { table: divisions, column: sql.identifier('division_id') },
};

export interface PlaceView {
  id: string;
  name: string;
  devices: number;
  revision: number;
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
    .where(isWithin(reach, place))
    .orderBy(asc(places[place].table.name)) as unknown as Promise<View<P>[]>;
}

export async function create<P extends Place>(
  db: Db,
  place: P,
  input: PlaceChange<P> & { name: string; id?: string },
  actor: string,
): Promise<View<P>> {
  const { table } = places[place];
  return orNameTaken(input.name, () =>
    db.transaction(async (tx) => {
      const [row] = await tx.insert(table).values(input).returning();
      await record(tx, { actor, action: `${place}.create`, subject: row!.id, detail: { ...input } });
      return { ...row!, devices: 0 } as unknown as View<P>;
    }),
  );
}

export async function change<P extends Place>(
  db: Db,
  place: P,
  id: string,
  input: PlaceChange<P>,
  actor: string,
  expected = anything,
): Promise<View<P>> {
  const { table } = places[place];
  return orNameTaken(input.name ?? '', () =>
    db.transaction(async (tx) => {
      await expected.ensure(tx, table, id);
      const [row] = await tx.update(table).set(input).where(eq(table.id, id)).returning();
      if (!row) throw notFound();
      const [view] = await select(tx, place).where(eq(table.id, id));
      const action = input.name === undefined ? 'change' : 'rename';
      await record(tx, { actor, action: `${place}.${action}`, subject: id, detail: { ...input } });
      return view as unknown as View<P>;
    }),
  );
}

/** Of all regions, and of devices without one. */
export async function listTimeZones(db: Db): Promise<string[]> {
  const rows = await db.selectDistinct({ timeZone: regions.timeZone }).from(regions);
  return [...new Set([defaultTimeZone, ...rows.map((row) => row.timeZone)])];
}

/** Throws `in_use` while a device or a notification rule is of it. */
export async function remove(
  db: Db,
  place: Place,
  id: string,
  actor: string,
  expected = anything,
): Promise<void> {
  const { table } = places[place];
  try {
    await db.transaction(async (tx) => {
      await expected.ensure(tx, table, id);
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
  return sql`tallies.devices > 0 or ${table.id} ${anyOf(limits[place], 'uuid')}`;
}

function select(db: Db, place: Place, reach = everything) {
  const { table, column } = places[place];
  const tallies = sql`(select ${column} as place, sum(n)::int as devices from ${deviceTalliesWithin(reach)} t group by 1) tallies`;
  return db
    .select({ ...getTableColumns(table), devices: sql<number>`coalesce(tallies.devices, 0)` })
    .from(table as PgTable)
    .leftJoin(tallies, eq(sql`tallies.place`, table.id))
    .$dynamic();
}

function notFound(): AppError {
  return new AppError('not_found', 'There is no such place.');
}
