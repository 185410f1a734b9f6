import { index, integer, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';

/**
 * `wanted`: some device could use it. `useless`: it would save less than a fifth. `failed`: it could not be made. `unsigned`: it waits for a
 * manifest that is signed elsewhere.
 */
export const patchStates = ['wanted', 'ready', 'useless', 'failed', 'unsigned'] as const;
export type PatchState = (typeof patchStates)[number];

/**
 * What makes one image out of another, by their digests: forgotten when nobody runs the old one any more. With the digest of nothing as its base
 * (`noBase`) it is the image, compressed, and stays with it.
 */
export const patches = pgTable(
  'patches',
  {
    base: text().notNull(),
    result: text().notNull(),
    state: text({ enum: patchStates }).notNull().default('wanted'),
    /** Of the object; null until it is made. */
    s3Path: text('s3_path'),
    sizeBytes: integer('size_bytes'),
    sha256: text(),
    /** Compact JWS: the manifest of the image, and what the patch is. */
    manifest: text(),
    /** How long it took to make. */
    madeMs: integer('made_ms'),
    error: text(),
    tries: integer().notNull().default(0),
    /** A copy is making it, until then. */
    leaseUntil: timestamp('lease_until', { withTimezone: true }),
    wantedAt: timestamp('wanted_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.base, t.result] }), index('patches_state').on(t.state)],
);
