import { bigint, index, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core';

/** Files on their way to the store, in parts. Each is here from its beginning until it is registered, given up, or forgotten. */
export const uploads = pgTable(
  'uploads',
  {
    id: uuid().primaryKey().defaultRandom(),
    version: text().notNull(),
    fileName: text('file_name').notNull(),
    sizeBytes: bigint('size_bytes', { mode: 'number' }).notNull(),
    sha256: text().notNull(),
    s3Path: text('s3_path').notNull(),
    /** The store's own name of it. */
    uploadId: text('upload_id').notNull(),
    createdBy: text('created_by').notNull(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
    /** The store has made one object of its parts. */
    completedAt: timestamp('completed_at', { withTimezone: true }),
  },
  (t) => [
    index('uploads_whose').on(t.createdBy, t.sha256),
    index('uploads_path').on(t.s3Path),
    index('uploads_age').on(t.createdAt),
  ],
);
