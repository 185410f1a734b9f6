import {
  boolean,
  doublePrecision,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core';
import { devices } from '../../devices/table.ts';
import { deployments } from '../table.ts';
import type { Judgement } from './verdict.ts';

/** A device that a gate watches, and one signal of it: `comparison.ts`'s observation, added to window by window. */
export const healthObservations = pgTable(
  'health_observations',
  {
    deploymentId: uuid('deployment_id')
      .notNull()
      .references(() => deployments.id, { onDelete: 'cascade' }),
    signal: text().notNull(),
    deviceId: text('device_id')
      .notNull()
      .references(() => devices.id, { onDelete: 'cascade' }),
    treated: boolean().notNull(),
    /** Null: nothing is known of the time before, so there is nothing to compare. */
    before: doublePrecision(),
    sum: doublePrecision().notNull().default(0),
    weight: doublePrecision().notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.deploymentId, t.signal, t.deviceId] })],
);

/** What was found of each signal at the end of each window. */
export const healthJudgements = pgTable(
  'health_judgements',
  {
    deploymentId: uuid('deployment_id')
      .notNull()
      .references(() => deployments.id, { onDelete: 'cascade' }),
    signal: text().notNull(),
    at: timestamp({ withTimezone: true }).notNull(),
    judgement: jsonb().$type<Judgement>().notNull(),
  },
  (t) => [primaryKey({ columns: [t.deploymentId, t.signal, t.at] })],
);
