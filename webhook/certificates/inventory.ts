/** Certificates as an admin sees them. */
import { and, asc, desc, eq, ilike, or, type SQL, sql } from 'drizzle-orm';
import { type Db, query } from '../db/query.ts';
import { beginsWith, containing } from '../db/search.ts';
import type { Reach } from '../devices/reach.ts';
import { AppError } from '../errors.ts';
import { renewableFrom } from './renewal-rules.ts';
import { certificates } from './table.ts';

/**
 * valid: may be used; superseded: a later one of the same name has been seen in use; unused: issued and not yet seen while an earlier
 * one is (a device that is about to move over).
 */
export const statuses = ['valid', 'unused', 'superseded', 'expired', 'revoked'] as const;
export type Status = (typeof statuses)[number];

export interface CertificateView {
  serial: string;
  profile: 'device' | 'broker' | 'service';
  commonName: string;
  status: Status;
  notBefore: string;
  notAfter: string;
  issuedAt: string;
  firstSeenAt: string | null;
  /** From when on its holder may renew it. */
  renewableFrom: string;
  revocation: { at: string; reason: string; by: string; inCrl: boolean } | null;
}

export interface Filter {
  search?: string | undefined;
  commonName?: string | undefined;
  profile?: 'device' | 'broker' | 'service' | undefined;
  status?: Status | undefined;
  /** Ends within this many days; what has ended already is left out. */
  expiresWithinDays?: number | undefined;
  limit: number;
  offset: number;
}

/**
 * One certificate's status in SQL, so that lists are filtered and paged by the database. Columns are written out: Drizzle leaves the
 * table's name away, and in a subquery that would be another row's column.
 */
const status = sql<Status>`case
  when certificates.revoked_at is not null then 'revoked'
  when certificates.not_after <= now() then 'expired'
  when exists (select 1 from certificates l where l.common_name = certificates.common_name
    and l.profile = certificates.profile and l.issued_at > certificates.issued_at
    and l.first_seen_at is not null) then 'superseded'
  when certificates.first_seen_at is null and exists (select 1 from certificates e
    where e.common_name = certificates.common_name and e.profile = certificates.profile
    and e.issued_at < certificates.issued_at and e.first_seen_at is not null) then 'unused'
  else 'valid' end`;

export async function list(
  db: Db,
  reach: Reach,
  filter: Filter,
): Promise<{ items: CertificateView[]; total: number }> {
  const pattern = filter.search ? containing(filter.search) : null;
  const where = and(
    isWithin(reach),
    pattern ? or(ilike(certificates.commonName, pattern), ilike(certificates.serial, pattern)) : undefined,
    filter.commonName ? eq(certificates.commonName, filter.commonName) : undefined,
    filter.profile ? eq(certificates.profile, filter.profile) : undefined,
    filter.status ? sql`${status} = ${filter.status}` : undefined,
    filter.expiresWithinDays === undefined ? undefined : endsWithin(filter.expiresWithinDays),
  );
  const order =
    filter.expiresWithinDays === undefined ? desc(certificates.issuedAt) : asc(certificates.notAfter);
  const rows = await db
    .select({ certificate: certificates, status })
    .from(certificates)
    .where(where)
    .orderBy(order, asc(certificates.serial))
    .limit(filter.limit)
    .offset(filter.offset);
  const [total] = await db.select({ value: sql<string>`count(*)` }).from(certificates).where(where);
  return { items: rows.map(view), total: Number(total!.value) };
}

export async function get(
  db: Db,
  reach: Reach,
  serial: string,
): Promise<CertificateView & { certificate: string; chain: string }> {
  const [row] = await db
    .select({ certificate: certificates, status })
    .from(certificates)
    .where(and(eq(certificates.serial, serial), isWithin(reach)));
  if (!row) throw new AppError('not_found', 'There is no certificate with this serial.');
  return { ...view(row), certificate: row.certificate.certificate, chain: row.certificate.chain };
}

/** Whose serial begins so, as hexadecimal digits with or without colons. */
export async function findBySerial(db: Db, reach: Reach, text: string, limit: number) {
  const digits = text.replaceAll(':', '').toUpperCase();
  if (!/^[0-9A-F]{4,40}$/.test(digits)) return [];
  return db
    .select({ serial: certificates.serial, commonName: certificates.commonName })
    .from(certificates)
    .where(and(beginsWith(certificates.serial, sql`${digits}::text`), isWithin(reach)))
    .orderBy(asc(certificates.serial))
    .limit(limit);
}

/** How many devices, by the end of the certificate that each is using (or else of the newest that it was given). */
export interface ExpiryCounts {
  within30Days: number;
  within14Days: number;
  within3Days: number;
  expired: number;
}

/** A device's certificate: the one that it was last seen with, or else the newest that it was given; revoked ones do not count. */
export const current = (reach: Reach) => sql`
  select distinct on (c.common_name) c.common_name as device, c.serial, c.not_after
  from certificates c join devices d on d.id = c.common_name
  where c.profile = 'device' and c.revoked_at is null and ${reach.on('d')}
  order by c.common_name, c.first_seen_at desc nulls last, c.not_after desc`;

export async function countExpiring(db: Db, reach: Reach): Promise<ExpiryCounts> {
  const within = (days: number) =>
    sql`count(*) filter (where not_after > now() and not_after <= now() + make_interval(days => ${days}))`;
  const [row] = await query<Record<keyof ExpiryCounts, string>>(
    db,
    sql`with current as (${current(reach)})
        select ${within(30)} as "within30Days", ${within(14)} as "within14Days", ${within(3)} as "within3Days",
          count(*) filter (where not_after <= now()) as "expired" from current`,
  );
  return {
    within30Days: Number(row!.within30Days),
    within14Days: Number(row!.within14Days),
    within3Days: Number(row!.within3Days),
    expired: Number(row!.expired),
  };
}

export interface ExpiringDevice extends Record<string, unknown> {
  device: string;
  serial: string;
  notAfter: string;
}

/** Devices whose certificate ends within these days, also those for whom it is too late (0: only those), the most urgent first. */
export async function listExpiring(
  db: Db,
  reach: Reach,
  { days, limit, offset }: { days: number; limit: number; offset: number },
): Promise<{ items: ExpiringDevice[]; total: number }> {
  const rows = await query<{ device: string; serial: string; notAfter: string | Date; total: string }>(
    db,
    sql`with current as (${current(reach)})
        select device, serial, not_after as "notAfter", count(*) over () as total from current
        where not_after <= now() + make_interval(days => ${days})
        order by not_after, device limit ${limit} offset ${offset}`,
  );
  return {
    items: rows.map(({ device, serial, notAfter }) => ({
      device,
      serial,
      notAfter: new Date(notAfter).toISOString(),
    })),
    total: Number(rows[0]?.total ?? 0),
  };
}

/** Those of brokers and services are the fleet's. */
export function isWithin(reach: Reach): SQL | undefined {
  if (reach.limits === null) return undefined;
  return and(eq(certificates.profile, 'device'), reach.holds(certificates.commonName));
}

function endsWithin(days: number): SQL {
  return sql`${certificates.notAfter} > now() and ${certificates.notAfter} <= now() + make_interval(days => ${days})`;
}

function view(row: { certificate: typeof certificates.$inferSelect; status: Status }): CertificateView {
  const c = row.certificate;
  return {
    serial: c.serial,
    profile: c.profile,
    commonName: c.commonName,
    status: row.status,
    notBefore: c.notBefore.toISOString(),
    notAfter: c.notAfter.toISOString(),
    issuedAt: c.issuedAt.toISOString(),
    firstSeenAt: c.firstSeenAt?.toISOString() ?? null,
    renewableFrom: renewableFrom(c).toISOString(),
    revocation: c.revokedAt && {
      at: c.revokedAt.toISOString(),
      reason: c.revocationReason ?? 'unspecified',
      by: c.revokedBy ?? '',
      inCrl: c.revocationConfirmedAt !== null,
    },
  };
}
