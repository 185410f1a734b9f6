import { bigserial, index, jsonb, pgTable, text, timestamp } from 'drizzle-orm/pg-core';

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
