import { sql } from 'drizzle-orm';
import {
  bigint,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { revision } from '../db/revision.ts';
import type { Limits } from '../devices/reach.ts';
import { roles } from '../http.ts';
import type { Scope } from './scopes.ts';

export const users = pgTable(
  'users',
  {
    id: uuid().primaryKey().defaultRandom(),
    email: text().notNull(),
    /** Null: a user of an issuer, who has no password here. */
    passwordHash: text('password_hash'),
    oidcIssuer: text('oidc_issuer'),
    oidcSubject: text('oidc_subject'),
    role: text({ enum: roles }).notNull(),
    /** What the role holds for; null: the whole fleet. */
    reach: jsonb().$type<Limits>(),
    /** Of the authenticator, in base 32; null: none. Kept as it is, for each code is computed from it. */
    totpSecret: text('totp_secret'),
    /** One that is being set up. */
    totpPending: text('totp_pending'),
    /** Of the last code that was accepted: neither it nor one before it is accepted again. */
    totpStep: bigint('totp_step', { mode: 'number' }),
    /** SHA-256 of the recovery codes that are left. */
    recoveryHashes: jsonb('recovery_hashes').$type<string[]>().notNull().default([]),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
    disabledAt: timestamp('disabled_at', { withTimezone: true }),
    revision: revision(),
  },
  (t) => [
    uniqueIndex('users_email').on(sql`lower(${t.email})`),
    uniqueIndex('users_oidc').on(t.oidcIssuer, t.oidcSubject),
  ],
);

/** The cookie carries the token; only its SHA-256 is stored. */
export const sessions = pgTable(
  'sessions',
  {
    tokenHash: text('token_hash').primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    expiresAt: timestamp('expires_at', { withTimezone: true }).notNull(),
    /** The issuer's session that it came of. */
    oidcSid: text('oidc_sid'),
  },
  (t) => [index('sessions_expiry').on(t.expiresAt), index('sessions_user').on(t.userId)],
);

/** Bearer tokens for automation; only the SHA-256 is stored. */
export const apiTokens = pgTable(
  'api_tokens',
  {
    id: uuid().primaryKey().defaultRandom(),
    name: text().notNull(),
    tokenHash: text('token_hash').notNull().unique(),
    role: text({ enum: roles }).notNull(),
    /** As a user's. */
    reach: jsonb().$type<Limits>(),
    /** Null: whatever its role may do. */
    scopes: jsonb().$type<Scope[]>(),
    /** Whose own it is: it may never more than this user may. Null: one that an admin has made, which stands by itself. */
    userId: uuid('user_id').references(() => users.id, { onDelete: 'cascade' }),
    createdBy: text('created_by').notNull(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
    expiresAt: timestamp('expires_at', { withTimezone: true }),
    revokedAt: timestamp('revoked_at', { withTimezone: true }),
    lastUsedAt: timestamp('last_used_at', { withTimezone: true }),
    revision: revision(),
  },
  // A revoked token's name may be used again.
  (t) => [
    uniqueIndex('api_tokens_name').on(t.name).where(sql`revoked_at is null and user_id is null`),
    uniqueIndex('api_tokens_own_name').on(t.userId, t.name).where(sql`revoked_at is null`),
  ],
);

/** Failed logins of a network, an e-mail, both together, or a known browser; `attempts.ts` says what they wait. */
export const loginAttempts = pgTable(
  'login_attempts',
  {
    key: text().primaryKey(),
    count: integer().notNull(),
    blockedUntil: timestamp('blocked_until', { withTimezone: true }).notNull().defaultNow(),
    forgetAt: timestamp('reset_at', { withTimezone: true }).notNull(),
  },
  (t) => [index('login_attempts_reset').on(t.forgetAt)],
);

/** Browsers that have logged in before; only the SHA-256 of the cookie is stored. */
export const knownDevices = pgTable(
  'known_devices',
  {
    tokenHash: text('token_hash').primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    usedAt: timestamp('used_at', { withTimezone: true }).notNull(),
  },
  (t) => [index('known_devices_user').on(t.userId)],
);

/** Wrong passwords of a user since the last login, which tells them. */
export const failedLogins = pgTable(
  'failed_logins',
  {
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    network: text().notNull(),
    count: integer().notNull(),
  },
  (t) => [primaryKey({ columns: [t.userId, t.network] })],
);
