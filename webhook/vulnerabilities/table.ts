import {
  bigint,
  bigserial,
  index,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core';
import { firmwares } from '../firmware/table.ts';
import type { Range } from './osv.ts';
import { vexJustifications, vexStatuses } from './vex.ts';

/** What a feed says (OSV). Several may be of one CVE, under whose name they are found. */
export const advisories = pgTable(
  'advisories',
  {
    id: text().primaryKey(),
    /** The CVE, or the advisory's own id where it has none. */
    vulnerability: text().notNull(),
    aliases: text().array().notNull(),
    summary: text().notNull(),
    details: text().notNull(),
    /** As the feed scores it, a CVSS vector or a word; null: it does not. */
    severity: text(),
    references: text().array().notNull(),
    publishedAt: timestamp('published_at', { withTimezone: true }),
    modifiedAt: timestamp('modified_at', { withTimezone: true }).notNull(),
    importedAt: timestamp('imported_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [index('advisories_vulnerability').on(t.vulnerability)],
);

/** Which versions of what an advisory is about: a row for each package that it names. */
export const advisoryPackages = pgTable(
  'advisory_packages',
  {
    id: bigserial({ mode: 'number' }).primaryKey(),
    advisoryId: text('advisory_id')
      .notNull()
      .references(() => advisories.id, { onDelete: 'cascade' }),
    /** As those of the packages of firmwares. */
    keys: text().array().notNull(),
    name: text().notNull(),
    versions: text().array().notNull(),
    ranges: jsonb().$type<Range[]>().notNull(),
  },
  (t) => [
    index('advisory_packages_advisory').on(t.advisoryId),
    index('advisory_packages_keys').using('gin', t.keys),
  ],
);

/** A firmware has a package in a version that an advisory is about: found when either of both came. */
export const findings = pgTable(
  'findings',
  {
    advisoryId: text('advisory_id')
      .notNull()
      .references(() => advisories.id, { onDelete: 'cascade' }),
    firmwareId: uuid('firmware_id')
      .notNull()
      .references(() => firmwares.id, { onDelete: 'cascade' }),
    packageId: bigint('package_id', { mode: 'number' }).notNull(),
    vulnerability: text().notNull(),
    package: text().notNull(),
    version: text().notNull(),
    /** The first version without it, as the advisory says; null: none is known. */
    fixedIn: text('fixed_in'),
  },
  (t) => [
    primaryKey({ columns: [t.advisoryId, t.firmwareId, t.packageId] }),
    index('findings_vulnerability').on(t.vulnerability, t.firmwareId),
    index('findings_firmware').on(t.firmwareId),
  ],
);

/** What somebody has judged of a vulnerability in our firmware (VEX). The newest holds; one of a firmware goes before one of all. */
export const vexStatements = pgTable(
  'vex_statements',
  {
    id: bigserial({ mode: 'number' }).primaryKey(),
    vulnerability: text().notNull(),
    /** Null: all firmwares. */
    firmwareId: uuid('firmware_id').references(() => firmwares.id, { onDelete: 'cascade' }),
    status: text({ enum: vexStatuses }).notNull(),
    justification: text({ enum: vexJustifications }),
    note: text().notNull(),
    /** Who states it: of a document, as it says. */
    author: text().notNull(),
    createdBy: text('created_by').notNull(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [index('vex_statements_vulnerability').on(t.vulnerability, t.firmwareId, t.id)],
);
