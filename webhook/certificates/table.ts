import { sql } from 'drizzle-orm';
import {
  bigint,
  bigserial,
  boolean,
  index,
  integer,
  jsonb,
  pgTable,
  text,
  timestamp,
} from 'drizzle-orm/pg-core';
import type { RevocationReason } from '#ca/client.ts';

/** Every certificate that was issued through the webhook. */
export const certificates = pgTable(
  'certificates',
  {
    serial: text().primaryKey(),
    profile: text({ enum: ['device', 'broker', 'service'] }).notNull(),
    commonName: text('common_name').notNull(),
    certificate: text().notNull(),
    chain: text().notNull(),
    notBefore: timestamp('not_before', { withTimezone: true }).notNull(),
    notAfter: timestamp('not_after', { withTimezone: true }).notNull(),
    issuedAt: timestamp('issued_at', { withTimezone: true }).notNull().defaultNow(),
    /** When its holder was first seen connecting with it: the certificate before may go then. */
    firstSeenAt: timestamp('first_seen_at', { withTimezone: true }),
    /** SHA-256 of the CSR (PEM as it came): the same one again is answered with this certificate. */
    csrHash: text('csr_hash'),
    /** How near its end was when that was last told, in days. */
    expiryTold: integer('expiry_told'),
    revokedAt: timestamp('revoked_at', { withTimezone: true }),
    revocationReason: text('revocation_reason').$type<RevocationReason>(),
    revokedBy: text('revoked_by'),
    /** When the CA had it in its CRL; null while that is still to be done. */
    revocationConfirmedAt: timestamp('revocation_confirmed_at', { withTimezone: true }),
  },
  (t) => [
    index('certificates_name').on(t.commonName, t.notAfter),
    index('certificates_expiry').on(t.notAfter, t.serial),
    index('certificates_issued').on(t.issuedAt.desc().nullsFirst(), t.serial),
    index('certificates_revoked')
      .on(t.issuedAt.desc().nullsFirst(), t.serial)
      .where(sql`revoked_at is not null`),
    index('certificates_seen').on(t.firstSeenAt).where(sql`profile = 'device' and revoked_at is null`),
    index('certificates_serial_begins').on(t.serial.op('text_pattern_ops')),
    index('certificates_unconfirmed')
      .on(t.revokedAt)
      .where(sql`revoked_at is not null and revocation_confirmed_at is null`),
  ],
);

/**
 * Which certificate each holder of a device's uses: the one that it was last seen with, or else the newest that it was given; revoked ones do not
 * count. Triggers on `certificates` keep it, so that who is near its end is read without looking at all that others have left behind.
 */
export const certificatesInUse = pgTable(
  'certificates_in_use',
  {
    commonName: text('common_name').primaryKey(),
    /** Null, and its end: none counts. */
    serial: text(),
    notAfter: timestamp('not_after', { withTimezone: true }),
  },
  (t) => [index('certificates_in_use_ending').on(t.notAfter, t.commonName)],
);

/** One-time tokens for `POST /api/issue_cert`; only the SHA-256 of a token is stored. */
export const enrollmentTokens = pgTable('enrollment_tokens', {
  tokenHash: text('token_hash').primaryKey(),
  profile: text({ enum: ['device', 'broker', 'service'] }).notNull(),
  commonName: text('common_name').notNull(),
  /** DNS names and addresses that the CSR's SAN may carry. */
  names: jsonb().$type<string[]>().notNull().default([]),
  createdBy: text('created_by').notNull(),
  expiresAt: timestamp('expires_at', { withTimezone: true }).notNull(),
  /** SHA-256 of the CSR that used it: the same CSR may ask again when the answer was lost, another may not. */
  usedByCsr: text('used_by_csr'),
  usedAt: timestamp('used_at', { withTimezone: true }),
  /** A grant: serial of the certificate whose key the CSR must have. */
  sameKeyAs: text('same_key_as'),
});

/** Devices that may not come back, whatever their certificate, until the ban is lifted. */
export const deviceBans = pgTable(
  'device_bans',
  {
    deviceId: text('device_id').primaryKey(),
    reason: text().notNull(),
    bannedBy: text('banned_by').notNull(),
    bannedAt: timestamp('banned_at', { withTimezone: true }).notNull().defaultNow(),
    /** No ban any more; the row stays until the broker is sure to know. */
    liftedAt: timestamp('lifted_at', { withTimezone: true }),
    /** When the broker is told next. */
    tellAt: timestamp('tell_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [index('device_bans_tell_at').on(t.tellAt)],
);

/** The number of each CRL in the file store, so that no copy replaces a newer one with an older one. */
export const publishedCrls = pgTable('published_crls', {
  name: text().primaryKey(),
  number: bigint({ mode: 'number' }).notNull(),
  nextUpdate: timestamp('next_update', { withTimezone: true }).notNull(),
  /** When the object in the file store was last seen to be this one, or made so. */
  publishedAt: timestamp('published_at', { withTimezone: true }).notNull().defaultNow(),
});

/** Renewal requests that came over MQTT, until the CA has answered. */
export const renewals = pgTable(
  'renewals',
  {
    id: bigserial({ mode: 'number' }).primaryKey(),
    deviceId: text('device_id').notNull(),
    requestId: text('request_id').notNull(),
    csr: text().notNull(),
    /** The request came on the topic with the leading slash. */
    slash: boolean().notNull(),
    tryAt: timestamp('try_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [index('renewals_try_at').on(t.tryAt), index('renewals_device').on(t.deviceId, t.id)],
);
