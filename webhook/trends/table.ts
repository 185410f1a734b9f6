import { integer, jsonb, pgTable, primaryKey, timestamp, uuid } from 'drizzle-orm/pg-core';
import { deployments } from '../deployments/table.ts';

/** How many targets of a deployment were in which state, whenever that had changed: some hundreds of rows for the longest. */
export const deploymentMoments = pgTable(
  'deployment_moments',
  {
    deploymentId: uuid('deployment_id')
      .notNull()
      .references(() => deployments.id, { onDelete: 'cascade' }),
    at: timestamp({ withTimezone: true }).notNull(),
    counts: jsonb().$type<Record<string, number>>().notNull(),
  },
  (t) => [primaryKey({ columns: [t.deploymentId, t.at] })],
);

/** The fleet once an hour, for a month: 750 rows. `versions` are those of the devices' own program, the commonest six. */
export const fleetHours = pgTable('fleet_hours', {
  hour: timestamp({ withTimezone: true }).primaryKey(),
  total: integer().notNull(),
  online: integer().notNull(),
  versions: jsonb().$type<Record<string, number>>().notNull(),
});
