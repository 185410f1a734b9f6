/** What keeps a connection out. */
import { and, eq, inArray, isNotNull, isNull, sql } from 'drizzle-orm';
import type { Db } from '../db/connect.ts';
import { certificates, deviceBans } from './table.ts';

/** Those of the serials that are revoked. */
export async function findRevoked(db: Db, serials: string[]): Promise<Set<string>> {
  if (serials.length === 0) return new Set();
  const rows = await db
    .select({ serial: certificates.serial })
    .from(certificates)
    .where(and(inArray(certificates.serial, serials), isNotNull(certificates.revokedAt)));
  return new Set(rows.map((row) => row.serial));
}

/** Those of the devices that are banned. */
export async function findBanned(db: Db, devices: string[]): Promise<Set<string>> {
  if (devices.length === 0) return new Set();
  const rows = await db
    .select({ id: deviceBans.deviceId })
    .from(deviceBans)
    .where(and(inArray(deviceBans.deviceId, devices), isNull(deviceBans.liftedAt)));
  return new Set(rows.map((row) => row.id));
}

/** Those of the names that had certificates of which none is good any more: of devices that were deleted, when they are not registered. */
export async function findDismissed(db: Db, names: string[]): Promise<string[]> {
  if (names.length === 0) return [];
  const rows = await db
    .select({ name: certificates.commonName })
    .from(certificates)
    .where(and(inArray(certificates.commonName, names), eq(certificates.profile, 'device')))
    .groupBy(certificates.commonName)
    .having(sql`every(${certificates.revokedAt} is not null)`);
  return rows.map(({ name }) => name);
}
