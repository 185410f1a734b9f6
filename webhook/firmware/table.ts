import { bigint, boolean, integer, pgTable, text, timestamp, unique, uuid } from 'drizzle-orm/pg-core';
import { revision } from '../db/revision.ts';

export const firmwares = pgTable(
  'firmwares',
  {
    id: uuid().primaryKey().defaultRandom(),
    name: text().notNull(),
    version: text().notNull(),
    fileName: text('file_name').notNull(),
    author: text().notNull(),
    hardware: text().notNull(),
    component: text().notNull(),
    securityVersion: integer('security_version').notNull(),
    releaseNote: text('release_note').notNull(),
    s3Path: text('s3_path').notNull(),
    sizeBytes: bigint('size_bytes', { mode: 'number' }).notNull(),
    sha256: text().notNull(),
    /** Compact JWS by the firmware signing key; null until it is signed (offline signing). */
    manifest: text(),
    /** Its plain object is gone: there is only the sealed one (`sealing/`). */
    sealed: boolean().notNull().default(false),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
    updatedAt: timestamp('updated_at', { withTimezone: true }).notNull().defaultNow(),
    revision: revision(),
  },
  (t) => [unique('firmwares_version_file_name').on(t.version, t.fileName)],
);
