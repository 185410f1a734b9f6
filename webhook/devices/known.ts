import { and, eq, inArray } from 'drizzle-orm';
import type { Db } from '../db/query.ts';
import { AppError } from '../errors.ts';
import type { Reach } from './reach.ts';
import { devices } from './table.ts';

/** Those of the ids that are registered. */
export async function findKnown(db: Db, reach: Reach, ids: string[]): Promise<{ id: string }[]> {
  return db
    .select({ id: devices.id })
    .from(devices)
    .where(and(inArray(devices.id, ids), reach.on()));
}

/** Throws `not_found` for a device that is not registered, or not within reach: they are not told apart. */
export async function ensureKnown(db: Db, reach: Reach, id: string): Promise<void> {
  const rows = await db
    .select({ id: devices.id })
    .from(devices)
    .where(and(eq(devices.id, id), reach.on()));
  if (rows.length === 0) throw new AppError('not_found', 'There is no such device.');
}
