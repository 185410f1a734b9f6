/** What keeps a connection out. */
import { and, inArray, isNotNull } from 'drizzle-orm';
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
    .where(inArray(deviceBans.deviceId, devices));
  return new Set(rows.map((row) => row.id));
}
