import { bigserial, index, integer, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import { firmwares } from '../firmware/table.ts';
import { sbomFormats } from './document.ts';

/** The SBOM of a firmware; the document itself is in the file store. */
export const firmwareSboms = pgTable('firmware_sboms', {
  firmwareId: uuid('firmware_id')
    .primaryKey()
    .references(() => firmwares.id, { onDelete: 'cascade' }),
  format: text({ enum: sbomFormats }).notNull(),
  specVersion: text('spec_version').notNull(),
  sha256: text().notNull(),
  sizeBytes: integer('size_bytes').notNull(),
  s3Path: text('s3_path').notNull(),
  packages: integer().notNull(),
  /** Packages without a version, of which nothing can be said, and package URLs that are none. */
  unversioned: integer().notNull(),
  badPurls: integer('bad_purls').notNull(),
  uploadedBy: text('uploaded_by').notNull(),
  uploadedAt: timestamp('uploaded_at', { withTimezone: true }).notNull().defaultNow(),
});

/** What a firmware is made of, by its SBOM (`components` are those of a device). */
export const firmwarePackages = pgTable(
  'firmware_packages',
  {
    id: bigserial({ mode: 'number' }).primaryKey(),
    firmwareId: uuid('firmware_id')
      .notNull()
      .references(() => firmwares.id, { onDelete: 'cascade' }),
    name: text().notNull(),
    version: text(),
    purl: text(),
    cpe: text(),
    /** `keys.ts` */
    keys: text().array().notNull(),
  },
  (t) => [
    index('firmware_packages_firmware').on(t.firmwareId),
    index('firmware_packages_keys').using('gin', t.keys),
  ],
);
