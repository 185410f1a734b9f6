/** Regions and divisions: alike but for their names. */
import { asc, count, eq } from 'drizzle-orm';
import type { PgTable } from 'drizzle-orm/pg-core';
import { record } from '../audit/audit.ts';
import { type Db, foreignKeyViolation, sqlState, uniqueViolation } from '../db/connect.ts';
import { AppError } from '../errors.ts';
import { devices, divisions, regions } from './table.ts';

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

/** By name, with how many devices each has. */
export async function list(db: Db, place: Place): Promise<PlaceView[]> {
  return select(db, place).orderBy(asc(places[place].table.name));
}

export async function create(db: Db, place: Place, name: string, actor: string): Promise<PlaceView> {
  const { table } = places[place];
  try {
    return await db.transaction(async (tx) => {
      const [row] = await tx.insert(table).values({ name }).returning();
      await record(tx, { actor, action: `${place}.create`, subject: row!.id, detail: { name } });
      return { ...row!, devices: 0 };
    });
  } catch (error) {
    throw asTaken(error, name);
  }
}

export async function rename(
  db: Db,
  place: Place,
  id: string,
  name: string,
  actor: string,
): Promise<PlaceView> {
  const { table } = places[place];
  try {
    return await db.transaction(async (tx) => {
      const [row] = await tx.update(table).set({ name }).where(eq(table.id, id)).returning();
      if (!row) throw notFound();
      const [view] = await select(tx, place).where(eq(table.id, id));
      await record(tx, { actor, action: `${place}.rename`, subject: id, detail: { name } });
      return view!;
    });
  } catch (error) {
    throw asTaken(error, name);
  }
}

/** Throws `in_use` while a device is there. */
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
    throw new AppError('in_use', 'It still has devices: move them elsewhere first.', { cause: error });
  }
}

function select(db: Db, place: Place) {
  const { table, column } = places[place];
  return db
    .select({ id: table.id, name: table.name, devices: count(devices.id) })
    .from(table as PgTable)
    .leftJoin(devices, eq(column, table.id))
    .groupBy(table.id, table.name)
    .$dynamic();
}

function notFound(): AppError {
  return new AppError('not_found', 'There is no such place.');
}

function asTaken(error: unknown, name: string): unknown {
  if (sqlState(error) !== uniqueViolation) return error;
  return new AppError('name_taken', `${name} is there already.`, { cause: error });
}
