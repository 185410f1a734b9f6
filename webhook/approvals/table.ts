import { integer, pgTable, text, timestamp, uniqueIndex, uuid } from 'drizzle-orm/pg-core';

/** Deployments that wait for a second person. */
export const approvalRules = pgTable(
  'approval_rules',
  {
    id: uuid().primaryKey().defaultRandom(),
    /** Of the firmware; null: of any. */
    hardware: text(),
    /** To more devices than this. */
    aboveDevices: integer('above_devices').notNull(),
    createdBy: text('created_by').notNull(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [uniqueIndex('approval_rules_hardware').on(t.hardware)],
);
