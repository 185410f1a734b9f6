/** Certificates as an admin sees them. */
import { and, asc, eq, gt, isNotNull, isNull, lte, or, type SQL, sql } from 'drizzle-orm';
import { countUpTo, type Total } from '../db/count.ts';
import { down, Order, type Paging, readPage, up } from '../db/keyset.ts';
import { type Db, query } from '../db/query.ts';
import { beginsWith, contains } from '../db/search.ts';
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

export interface Filter extends Paging {
  search?: string | undefined;
  commonName?: string | undefined;
  profile?: 'device' | 'broker' | 'service' | undefined;
  status?: Status | undefined;
  /** Ends within this many days; what has ended already is left out. */
  expiresWithinDays?: number | undefined;
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

const newest = new Order('certificates', [down(certificates.issuedAt), up(certificates.serial)]);
const endingFirst = new Order('ending certificates', [up(certificates.notAfter), up(certificates.serial)]);

export async function list(
  db: Db,
  reach: Reach,
  filter: Filter,
): Promise<{ items: CertificateView[]; next: string | null } & Total> {
  const where = and(
    isWithin(reach),
    filter.search
      ? or(contains(certificates.commonName, filter.search), serialBegins(filter.search))
      : undefined,
    filter.commonName ? eq(certificates.commonName, filter.commonName) : undefined,
    filter.profile ? eq(certificates.profile, filter.profile) : undefined,
    filter.status && hasStatus(filter.status),
    filter.expiresWithinDays === undefined ? undefined : endsWithin(filter.expiresWithinDays),
  );
  const order = filter.expiresWithinDays === undefined ? newest : endingFirst;
  const { rows, next } = await readPage(order, filter, (behind, limit, offset) =>
    db
      .select({ certificate: certificates, status, key: order.key })
      .from(certificates)
      .where(and(where, behind))
      .orderBy(...order.by)
      .limit(limit)
      .offset(offset),
  );
  return { items: rows.map(view), next, ...(await countUpTo(db, certificates, where, filter)) };
}

/** What an index has goes first: the rest of `status` looks at other certificates of each. */
function hasStatus(wanted: Status): SQL {
  if (wanted === 'revoked') return isNotNull(certificates.revokedAt);
  const notRevoked = isNull(certificates.revokedAt);
  if (wanted === 'expired') return and(notRevoked, lte(certificates.notAfter, sql`now()`))!;
  const isUnused = wanted === 'unused' ? isNull(certificates.firstSeenAt) : undefined;
  return and(notRevoked, gt(certificates.notAfter, sql`now()`), isUnused, sql`${status} = ${wanted}`)!;
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
  const begins = serialBegins(text);
  if (!begins) return [];
  return db
    .select({ serial: certificates.serial, commonName: certificates.commonName })
    .from(certificates)
    .where(and(begins, isWithin(reach)))
    .orderBy(asc(certificates.serial))
    .limit(limit);
}

function serialBegins(text: string): SQL | undefined {
  const digits = text.replaceAll(':', '').toUpperCase();
  return /^[0-9A-F]{4,40}$/.test(digits) ? beginsWith(certificates.serial, sql`${digits}::text`) : undefined;
}

/** How many devices, by the end of the certificate that each is using (or else of the newest that it was given). */
export interface ExpiryCounts {
  within30Days: number;
  within14Days: number;
  within3Days: number;
  expired: number;
}

/** Devices whose certificate in use ends within so many days, as rows of `certificates_in_use` `u`. */
export const urgent = (reach: Reach, days: number): SQL => sql`
  certificates_in_use u join devices d on d.id = u.common_name
  where u.not_after <= now() + make_interval(days => ${days}::int) and ${reach.on('d')}`;

export async function countExpiring(db: Db, reach: Reach): Promise<ExpiryCounts> {
  const within = (days: number) =>
    sql`(count(*) filter (where not_after > now() and not_after <= now() + make_interval(days => ${days}::int)))::int`;
  const [row] = await query<Record<keyof ExpiryCounts, number>>(
    db,
    sql`select ${within(30)} as "within30Days", ${within(14)} as "within14Days", ${within(3)} as "within3Days",
          (count(*) filter (where not_after <= now()))::int as "expired" from ${urgent(reach, 30)}`,
  );
  return row!;
}

export interface ExpiringDevice extends Record<string, unknown> {
  device: string;
  serial: string;
  notAfter: string;
}

const mostUrgent = new Order('urgent certificates', [
  { by: sql`u.not_after`, type: 'timestamptz', descends: false },
  { by: sql`u.common_name`, type: 'text', descends: false },
]);

/** Devices whose certificate ends within these days, also those for whom it is too late (0: only those), the most urgent first. */
export async function listExpiring(
  db: Db,
  reach: Reach,
  { days, ...paging }: { days: number } & Paging,
): Promise<{ items: ExpiringDevice[]; total: number; next: string | null }> {
  type Row = { device: string; serial: string; notAfter: string | Date; key: string[] };
  const { rows, next } = await readPage(mostUrgent, paging, (behind = sql`true`, limit, offset) =>
    query<Row>(
      db,
      sql`select u.common_name as device, u.serial, u.not_after as "notAfter", ${mostUrgent.key} as key from ${urgent(reach, days)}
          and ${behind} order by ${sql.join(mostUrgent.by, sql`, `)} limit ${limit} offset ${offset}`,
    ),
  );
  const [counted] = await query<{ total: number }>(
    db,
    sql`select count(*)::int as total from ${urgent(reach, days)}`,
  );
  return {
    items: rows.map(({ device, serial, notAfter }) => ({
      device,
      serial,
      notAfter: new Date(notAfter).toISOString(),
    })),
    total: counted!.total,
    next,
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
