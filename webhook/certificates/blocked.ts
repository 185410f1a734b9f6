/** Who must not be connected: a banned device, or one that came with a revoked certificate. */
import { and, eq, isNotNull, isNull, sql } from 'drizzle-orm';
import { anyOf, type Db, query } from '../db/query.ts';
import * as presence from '../devices/presence.ts';
import { certificates, deviceBans } from './table.ts';

/** Of devices and serials that a commit group has heard of. */
export interface Standing {
  registered: Set<string>;
  banned: Set<string>;
  revoked: Set<string>;
}

/** One statement, for every commit group asks. */
export async function findStanding(db: Db, deviceIds: string[], serials: string[]): Promise<Standing> {
  const rows = await query<{ standing: keyof Standing; name: string }>(
    db,
    sql`select 'registered' as standing, id as name from devices where id ${anyOf(deviceIds)}
        union all select 'banned', device_id from device_bans where lifted_at is null and device_id ${anyOf(deviceIds)}
        union all select 'revoked', serial from certificates where revoked_at is not null and serial ${anyOf(serials)}`,
  );
  const having = (standing: keyof Standing) =>
    new Set(rows.flatMap((row) => (row.standing === standing ? [row.name] : [])));
  return { registered: having('registered'), banned: having('banned'), revoked: having('revoked') };
}

/** Those of the serials that are revoked. */
export async function findRevoked(db: Db, serials: string[]): Promise<Set<string>> {
  if (serials.length === 0) return new Set();
  const rows = await db
    .select({ serial: certificates.serial })
    .from(certificates)
    .where(and(sql`${certificates.serial} ${anyOf(serials)}`, isNotNull(certificates.revokedAt)));
  return new Set(rows.map((row) => row.serial));
}

/** Those of the devices that are banned. */
export async function findBanned(db: Db, devices: string[]): Promise<Set<string>> {
  if (devices.length === 0) return new Set();
  const rows = await db
    .select({ id: deviceBans.deviceId })
    .from(deviceBans)
    .where(and(sql`${deviceBans.deviceId} ${anyOf(devices)}`, isNull(deviceBans.liftedAt)));
  return new Set(rows.map((row) => row.id));
}

/** Those of the names that had certificates of which none is good any more: of devices that were deleted, when they are not registered. */
export async function findDismissed(db: Db, names: string[]): Promise<string[]> {
  if (names.length === 0) return [];
  const rows = await db
    .select({ name: certificates.commonName })
    .from(certificates)
    .where(and(sql`${certificates.commonName} ${anyOf(names)}`, eq(certificates.profile, 'device')))
    .groupBy(certificates.commonName)
    .having(sql`every(${certificates.revokedAt} is not null)`);
  return rows.map(({ name }) => name);
}

/** Decides anew for these devices (whose rows the caller has locked), and returns those that must go. */
export async function updateBlocked(db: Db, deviceIds: string[]): Promise<string[]> {
  if (deviceIds.length === 0) return [];
  const connections = await presence.listConnections(db, deviceIds);
  const banned = await findBanned(db, deviceIds);
  const revoked = await findRevoked(
    db,
    connections.flatMap(({ certificateSerial }) => certificateSerial ?? []),
  );
  const isBlocked = (c: presence.Connection) => banned.has(c.id) || revoked.has(c.certificateSerial ?? '');
  const changed = connections.filter((c) => c.blocked !== isBlocked(c));
  if (changed.length > 0) {
    await presence.setBlocked(
      db,
      changed.map((c) => ({ id: c.id, blocked: isBlocked(c) })),
    );
  }
  return connections.filter(isBlocked).map((c) => c.id);
}
