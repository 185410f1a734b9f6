import {
  bigserial,
  boolean,
  doublePrecision,
  index,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
} from 'drizzle-orm/pg-core';
import { devices } from '../devices/table.ts';

/** Status and data messages as they came; partitioned by day (`db/partitions.ts`), and so without a key. `at` is the broker's clock, for a device's may be wrong. */
export const telemetry = pgTable(
  'telemetry',
  {
    id: bigserial({ mode: 'number' }),
    deviceId: text('device_id').notNull(),
    topic: text().notNull(),
    at: timestamp({ withTimezone: true }).notNull(),
    body: jsonb().$type<Record<string, unknown>>().notNull(),
  },
  (t) => [index('telemetry_device').on(t.deviceId, t.topic, t.at)],
);

/**
 * The newest number of each name of a device, which `newest.ts` keeps beside `telemetry`. No index has what changes: then an update writes
 * the row anew on its page and nothing else.
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
  },
  (t) => [primaryKey({ columns: [t.name, t.deviceId] }), index('device_metrics_device').on(t.deviceId)],
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
