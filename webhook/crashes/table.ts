import { sql } from 'drizzle-orm';
import {
  bigint,
  bigserial,
  boolean,
  date,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  unique,
  uuid,
} from 'drizzle-orm/pg-core';
import { firmwares } from '../firmware/table.ts';
import type { Call } from './symbols.ts';

/** Crashes of one program at one place: what is counted, and what somebody looks into. */
export const crashGroups = pgTable(
  'crash_groups',
  {
    id: uuid().primaryKey().defaultRandom(),
    /** Of the ELF and the first calls (`signature.ts`). */
    signature: text().notNull().unique(),
    /** As much of the ELF's SHA-256 as a device has told. */
    elf: text().notNull(),
    /** As the last device said it. */
    reason: text().notNull(),
    /** The first calls, the crashed one first. */
    frames: jsonb().$type<string[]>().notNull(),
    firstSeenAt: timestamp('first_seen_at', { withTimezone: true }).notNull(),
    lastSeenAt: timestamp('last_seen_at', { withTimezone: true }).notNull(),
    reports: bigint({ mode: 'number' }).notNull(),
    devices: integer().notNull().default(0),
    /** What addresses stand for, as far as an ELF has told. */
    symbols: jsonb().$type<Record<string, Call[]>>().notNull().default({}),
  },
  (t) => [
    index('crash_groups_seen').on(t.lastSeenAt, t.id),
    index('crash_groups_elf').on(t.elf),
    index('crash_groups_unnamed').on(t.elf).where(sql`${t.symbols} = '{}'`),
  ],
);

export const crashGroupDevices = pgTable(
  'crash_group_devices',
  {
    groupId: uuid('group_id')
      .notNull()
      .references(() => crashGroups.id, { onDelete: 'cascade' }),
    deviceId: text('device_id').notNull(),
    /** As this device said it last. */
    reason: text().notNull(),
    firstSeenAt: timestamp('first_seen_at', { withTimezone: true }).notNull(),
    lastSeenAt: timestamp('last_seen_at', { withTimezone: true }).notNull(),
    reports: bigint({ mode: 'number' }).notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.groupId, t.deviceId] }),
    index('crash_group_devices_device').on(t.deviceId),
  ],
);

/** How many on a day (UTC): exact, while of reports only the newest are kept. */
export const crashDays = pgTable(
  'crash_days',
  {
    groupId: uuid('group_id')
      .notNull()
      .references(() => crashGroups.id, { onDelete: 'cascade' }),
    day: date().notNull(),
    reports: bigint({ mode: 'number' }).notNull(),
  },
  (t) => [primaryKey({ columns: [t.groupId, t.day] })],
);

export const crashReports = pgTable(
  'crash_reports',
  {
    id: bigserial({ mode: 'number' }).primaryKey(),
    groupId: uuid('group_id')
      .notNull()
      .references(() => crashGroups.id, { onDelete: 'cascade' }),
    deviceId: text('device_id').notNull(),
    /** The device's own name for it. */
    crashId: text('crash_id').notNull(),
    /** When the broker received the first report of it. */
    at: timestamp({ withTimezone: true }).notNull(),
    reason: text().notNull(),
    task: text(),
    /** What ran when it was told; it may be the image before the one that crashed. */
    runningVersion: text('running_version').notNull(),
    pc: text().notNull(),
    backtrace: jsonb().$type<string[]>().notNull(),
    corrupted: boolean().notNull(),
  },
  (t) => [
    unique('crash_reports_once').on(t.deviceId, t.crashId),
    index('crash_reports_group').on(t.groupId, t.id),
    index('crash_reports_device_at').on(t.deviceId, t.at),
    index('crash_reports_at').on(t.at),
  ],
);

/** The ELF that a firmware was made from: named by its image when that is registered, there once it is uploaded. */
export const firmwareElfs = pgTable(
  'firmware_elfs',
  {
    firmwareId: uuid('firmware_id')
      .primaryKey()
      .references(() => firmwares.id, { onDelete: 'cascade' }),
    sha256: text().notNull(),
    /** The image says so: no other file is it. */
    namedByImage: boolean('named_by_image').notNull(),
    fileName: text('file_name'),
    sizeBytes: bigint('size_bytes', { mode: 'number' }),
    s3Path: text('s3_path'),
    uploadedBy: text('uploaded_by'),
    uploadedAt: timestamp('uploaded_at', { withTimezone: true }),
  },
  (t) => [index('firmware_elfs_sha256').on(t.sha256)],
);
