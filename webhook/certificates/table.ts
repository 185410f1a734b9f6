import { bigserial, boolean, index, jsonb, pgTable, text, timestamp } from 'drizzle-orm/pg-core';

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
  },
  (t) => [
    index('certificates_name').on(t.commonName, t.notAfter),
    index('certificates_expiry').on(t.notAfter),
  ],
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
  (t) => [index('renewals_try_at').on(t.tryAt)],
);
