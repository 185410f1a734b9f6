import { bigint, index, integer, pgTable, text, timestamp } from 'drizzle-orm/pg-core';

/** Of which hardware firmware is kept, and sent, sealed only. */
export const sealedHardware = pgTable('sealed_hardware', {
  hardware: text().primaryKey(),
  createdBy: text('created_by').notNull(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
});

export const sealedStates = ['wanted', 'ready', 'failed'] as const;
export type SealedState = (typeof sealedStates)[number];

/** Images and patches that are sealed, by the digest of what is in them. Each has a key of its own, which is here under a key of the settings. */
export const sealedObjects = pgTable(
  'sealed_objects',
  {
    sha256: text().primaryKey(),
    state: text({ enum: sealedStates }).notNull().default('wanted'),
    /** Of what is in it. */
    sizeBytes: bigint('size_bytes', { mode: 'number' }).notNull(),
    /** Of the plain object, as it was uploaded or made. */
    plainPath: text('plain_path').notNull(),
    /** Of the sealed one; null until it is ready. */
    s3Path: text('s3_path'),
    /** `master-keys.ts`. */
    wrappedKey: text('wrapped_key'),
    error: text(),
    tries: integer().notNull().default(0),
    /** A copy is working on it, until then. */
    leaseUntil: timestamp('lease_until', { withTimezone: true }),
    wantedAt: timestamp('wanted_at', { withTimezone: true }).notNull().defaultNow(),
    /** Null: plain objects with this digest may still have to go. */
    plainGoneAt: timestamp('plain_gone_at', { withTimezone: true }),
  },
  (t) => [index('sealed_objects_state').on(t.state, t.plainGoneAt)],
);
