import { sql } from 'drizzle-orm';
import { index, integer, jsonb, pgTable, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import type { Chosen } from '../devices/chosen.ts';

export const actNames = ['tag', 'move', 'pin', 'unpin', 'channel', 'command', 'ban'] as const;
export const jobStates = ['running', 'done', 'cancelled'] as const;
/** Why it was not done to one device. */
export const jobFailures = [
  'not_found',
  'too_many_tags',
  'already_banned',
  'unknown_reference',
  'beyond_reach',
  'refused',
] as const;
export type JobFailure = (typeof jobFailures)[number];

/** One act on many devices, done in the background. */
export const jobs = pgTable(
  'jobs',
  {
    id: uuid().primaryKey().defaultRandom(),
    act: text({ enum: actNames }).notNull(),
    args: jsonb().$type<Record<string, unknown>>().notNull(),
    selection: jsonb().$type<Chosen>().notNull(),
    state: text({ enum: jobStates }).notNull().default('running'),
    total: integer().notNull().default(0),
    done: integer().notNull().default(0),
    failed: integer().notNull().default(0),
    createdBy: text('created_by').notNull(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
    finishedAt: timestamp('finished_at', { withTimezone: true }),
  },
  (t) => [
    index('jobs_created').on(t.createdAt),
    index('jobs_running').on(t.id).where(sql`state = 'running'`),
  ],
);

/** What is left of a job, and (with an error) what has failed: a device that is done has no row any more. */
export const jobDevices = pgTable(
  'job_devices',
  {
    jobId: uuid('job_id')
      .notNull()
      .references(() => jobs.id, { onDelete: 'cascade' }),
    deviceId: text('device_id').notNull(),
    error: text({ enum: jobFailures }),
  },
  (t) => [
    primaryKey({ columns: [t.jobId, t.deviceId] }),
    index('job_devices_left').on(t.jobId, t.deviceId).where(sql`error is null`),
  ],
);
