import { eq, inArray } from 'drizzle-orm';
import type { Db } from '../db/query.ts';
import { AppError } from '../errors.ts';
import { devices } from './table.ts';

/** Those of the ids that are registered. */
export async function findKnown(db: Db, ids: string[]): Promise<{ id: string }[]> {
  return db.select({ id: devices.id }).from(devices).where(inArray(devices.id, ids));
}

/** Throws `not_found` for a device that is not registered. */
export async function ensureKnown(db: Db, id: string): Promise<void> {
  const rows = await db.select({ id: devices.id }).from(devices).where(eq(devices.id, id));
  if (rows.length === 0) throw new AppError('not_found', 'There is no such device.');
}
