import { jsonb, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import { revision } from '../db/revision.ts';
import type { AskedPolicy } from '../deployments/schema.ts';

/** Policies under a name, as they were asked for: what a deployment leaves out is its default then. */
export const rolloutPolicies = pgTable('rollout_policies', {
  id: uuid().primaryKey().defaultRandom(),
  name: text().notNull().unique(),
  policy: jsonb().$type<AskedPolicy>().notNull(),
  createdBy: text('created_by').notNull(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  updatedAt: timestamp('updated_at', { withTimezone: true }).notNull().defaultNow(),
  revision: revision(),
});
