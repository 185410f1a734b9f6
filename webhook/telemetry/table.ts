import { type Column, type SQL, sql } from 'drizzle-orm';
import {
  bigserial,
  boolean,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  serial,
  smallint,
  text,
  timestamp,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import { devices } from '../devices/table.ts';

/** A device and a topic: what its measurements have instead of both. */
export const telemetrySources = pgTable(
  'telemetry_sources',
  {
    id: serial().primaryKey(),
    deviceId: text('device_id')
      .notNull()
      .references(() => devices.id, { onDelete: 'cascade' }),
    topic: text().notNull(),
    /** The newest message that was rolled up, whole. */
    lastAt: timestamp('last_at', { withTimezone: true }),
    last: jsonb().$type<Record<string, unknown>>(),
  },
  (t) => [uniqueIndex('telemetry_sources_device').on(t.deviceId, t.topic)],
);

/**
 * Status and data messages of the last hours, partitioned by six of them (`db/partitions.ts`), and so without a key. `at` is the broker's
 * clock, for a device's may be wrong. Of `data/*` the body is the values.
 */
export const measurements = pgTable(
  'measurements',
  {
    source: integer().notNull(),
    at: timestamp({ withTimezone: true }).notNull(),
    body: jsonb().$type<Record<string, unknown>>().notNull(),
  },
  (t) => [index('measurements_source').on(t.source, t.at)],
);

/** What became of older ones (`rollup.ts`): an hour of a source each, which begins at `at`. Partitioned by day. */
export const measuredHours = pgTable(
  'measured_hours',
  {
    source: integer().notNull(),
    at: timestamp({ withTimezone: true }).notNull(),
    /** By the number's name, the hour and its minutes as `rollup.ts` packs them. */
    packed: jsonb().$type<Record<string, string>>().notNull(),
  },
  (t) => [uniqueIndex('measured_hours_source').on(t.source, t.at)],
);

/** Sixteen to the factor e, of either sign: numbers that are more than a sixteenth apart have different ones. */
export const levelOf = (value: SQL | Column): SQL =>
  sql`(sign(${value}) * floor(ln(1 + abs(${value})) * 16))::smallint`;

/**
 * The newest number of each name of a device, which `newest.ts` keeps beside them. What changes with every message is in no index: then an
 * update writes the row anew on its page and nothing else. Only the level, which changes less often, is.
 */
export const deviceMetrics = pgTable(
  'device_metrics',
  {
    deviceId: text('device_id')
      .notNull()
      .references(() => devices.id, { onDelete: 'cascade' }),
    name: text().notNull(),
    value: doublePrecision().notNull(),
    at: timestamp({ withTimezone: true }).notNull(),
    /** Of data/metrics, which goes before data/sensors. */
    preferred: boolean().notNull(),
    level: smallint().generatedAlwaysAs((): SQL => levelOf(sql`value`)),
  },
  (t) => [primaryKey({ columns: [t.deviceId, t.name] }), index('device_metrics_level').on(t.name, t.level)],
);

/** Partitioned by day as well. */
export const deviceLogs = pgTable(
  'device_logs',
  {
    id: bigserial({ mode: 'number' }),
    deviceId: text('device_id').notNull(),
    at: timestamp({ withTimezone: true }).notNull(),
    level: text().notNull(),
    message: text().notNull(),
  },
  (t) => [index('device_logs_device').on(t.deviceId, t.at, t.id)],
);

/** Commands that an admin sent to a device, with the answer when it comes. */
export const controlCommands = pgTable(
  'control_commands',
  {
    id: text().primaryKey(),
    deviceId: text('device_id').notNull(),
    command: text().notNull(),
    args: jsonb().$type<Record<string, unknown>>(),
    createdBy: text('created_by').notNull(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
    answeredAt: timestamp('answered_at', { withTimezone: true }),
    response: jsonb().$type<Record<string, unknown>>(),
  },
  (t) => [index('control_commands_device').on(t.deviceId, t.createdAt)],
);
