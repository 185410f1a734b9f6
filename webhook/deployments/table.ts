import { sql } from 'drizzle-orm';
import {
  type AnyPgColumn,
  bigint,
  bigserial,
  boolean,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { type DownloadStats, patchFaults } from '#emqx/protocol.ts';
import type { Approval } from '../approvals/schema.ts';
import { sqlList } from '../db/query.ts';
import { revision } from '../db/revision.ts';
import { devices } from '../devices/table.ts';
import { firmwares } from '../firmware/table.ts';
import { failureReasons } from './failures.ts';
import type { Selected } from './left-out.ts';
import type { Deferral } from './machine.ts';
import type { RolloutPolicy } from './policy.ts';
import { type Rollout, rolloutStates } from './rollout.ts';
import { activeStates, targetStates } from './states.ts';

/** What `rollout.ts` remembers between two looks. */
export type RolloutMemory = Omit<Rollout, 'policy' | 'startAt' | 'state' | 'finishedAt'>;

export const deployments = pgTable(
  'deployments',
  {
    id: uuid().primaryKey().defaultRandom(),
    firmwareId: uuid('firmware_id')
      .notNull()
      .references(() => firmwares.id),
    state: text({ enum: rolloutStates }).notNull(),
    selection: jsonb().$type<Selected>().notNull(),
    /** It takes back what that deployment brought: its devices boot their previous image again, by this signed order. */
    undoes: uuid().references((): AnyPgColumn => deployments.id),
    undoManifest: text('undo_manifest'),
    policy: jsonb().$type<RolloutPolicy>().notNull(),
    startAt: timestamp('start_at', { withTimezone: true }),
    memory: jsonb().$type<RolloutMemory>().notNull(),
    /** When a dispatcher looks at it again without being told to; null: only when marked. */
    nextLookAt: timestamp('next_look_at', { withTimezone: true }).defaultNow(),
    /** When what newer deployments have overtaken was last looked for; null: it must be. */
    sweptAt: timestamp('swept_at', { withTimezone: true }),
    /** The maintenance window is closed in every time zone, until then. */
    windowOpensAt: timestamp('window_opens_at', { withTimezone: true }),
    /** A freeze holds, until then. */
    frozenUntil: timestamp('frozen_until', { withTimezone: true }),
    /** Why it does not heed freezes; null: it does. */
    freezeOverride: text('freeze_override'),
    createdBy: text('created_by').notNull(),
    /** The user who made it; null: a token did. */
    authorId: uuid('author_id'),
    /** By which rule it waits, or waited, for a second person, and what that one said; null: it needs none. */
    approval: jsonb().$type<Approval>(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
    finishedAt: timestamp('finished_at', { withTimezone: true }),
    /** Since then its targets are deleted by age; what they came to stays in their tallies. */
    targetsForgottenAt: timestamp('targets_forgotten_at', { withTimezone: true }),
    revision: revision(),
  },
  (t) => [
    index('deployments_created').on(t.createdAt),
    index('deployments_unfinished').on(t.nextLookAt).where(sql`finished_at is null`),
    uniqueIndex('deployments_undone_once').on(t.undoes).where(sql`state <> 'cancelled'`),
  ],
);

export type DeploymentRow = typeof deployments.$inferSelect;

/**
 * A deployment's targets have moved, or (`joins`) a device may have come to match its selection: its rollout must be looked at. Rows of
 * their own, so that nobody waits for its lock.
 */
export const rolloutMarks = pgTable(
  'rollout_marks',
  {
    id: bigserial({ mode: 'number' }).primaryKey(),
    deploymentId: uuid('deployment_id').notNull(),
    joins: boolean().notNull().default(false),
  },
  (t) => [index('rollout_marks_deployment').on(t.deploymentId)],
);

/** One device's update within a deployment; written only with what `machine.ts` says. */
/** Its device was offered a patch or a compressed image, and has told what came of it. */
export const wasPatched = sql`stats ->> 'patch' is not null`;

export const targets = pgTable(
  'targets',
  {
    deploymentId: uuid('deployment_id')
      .notNull()
      .references(() => deployments.id, { onDelete: 'cascade' }),
    deviceId: text('device_id')
      .notNull()
      .references(() => devices.id, { onDelete: 'cascade' }),
    component: text().notNull(),
    /** -1: skipped when it started, so in none. */
    wave: integer().notNull().default(0),
    state: text({ enum: targetStates }).notNull(),
    attempt: integer().notNull().default(0),
    attemptsForgiven: integer('attempts_forgiven').notNull().default(0),
    cancelRequested: boolean('cancel_requested').notNull().default(false),
    receivedBytes: bigint('received_bytes', { mode: 'number' }).notNull().default(0),
    totalBytes: bigint('total_bytes', { mode: 'number' }).notNull(),
    /** Digest of what the device attested when the target was made: what an undo goes back to. */
    ran: text(),
    bytesPerSecond: doublePrecision('bytes_per_second'),
    errorCode: text('error_code', { enum: failureReasons }),
    errorMessage: text('error_message'),
    stats: jsonb().$type<DownloadStats>(),
    nextAttemptAt: timestamp('next_attempt_at', { withTimezone: true }),
    deadlineAt: timestamp('deadline_at', { withTimezone: true }),
    /** The application on the device puts the next step off. */
    deferred: jsonb().$type<Deferral>(),
    /** Until when it may: told with the first attempt. */
    deferralEndsAt: timestamp('deferral_ends_at', { withTimezone: true }),
    /** Why its device takes no patch for it. */
    patchFault: text('patch_fault', { enum: patchFaults }),
    updatedAt: timestamp('updated_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.deploymentId, t.deviceId] }),
    // At most one update runs on a component of a device.
    uniqueIndex('targets_one_active')
      .on(t.deviceId, t.component)
      .where(sql`state in ${sqlList(activeStates)}`),
    // What a dispatcher may start, in its order.
    index('targets_waiting').on(t.deploymentId, t.wave, t.deviceId).where(sql`state = 'pending'`),
    index('targets_pending').on(t.deviceId, t.component).where(sql`state = 'pending'`),
    index('targets_deadline').on(t.deadlineAt).where(sql`deadline_at is not null`),
    index('targets_retry')
      .on(t.deploymentId, t.nextAttemptAt)
      .where(sql`state = 'pending' and next_attempt_at is not null`),
    index('targets_device').on(t.deviceId),
    index('targets_state').on(t.deploymentId, t.state, t.deviceId),
    index('targets_patched').on(t.deploymentId).where(wasPatched),
  ],
);

/**
 * How many targets are where, and what their downloads were like: sums of these rows, which only the triggers on `targets` insert
 * (one for each group of targets that a statement has moved, so that nobody waits for another's lock) and a look gathers.
 */
export const targetTallies = pgTable(
  'target_tallies',
  {
    deploymentId: uuid('deployment_id').notNull(),
    wave: integer().notNull(),
    state: text({ enum: targetStates }).notNull(),
    n: integer().notNull(),
    /** Their device got the command and was not heard of, for good or until the next attempt. */
    silent: integer().notNull(),
    /** With a download time, and its sum. */
    timed: integer().notNull(),
    downloadMs: bigint('download_ms', { mode: 'number' }).notNull(),
    /** Their download broke off and went on. */
    resumed: integer().notNull(),
    /** Ended in the middle of a download that never went on. */
    brokenOff: integer('broken_off').notNull(),
    /** Not heard of again after the whole image had arrived. */
    lost: integer().notNull(),
  },
  (t) => [index('target_tallies_deployment').on(t.deploymentId)],
);

/** A device's timeline: one row for every transition. Partitioned by day (`db/partitions.ts`), and so without keys. */
export const targetEvents = pgTable(
  'target_events',
  {
    id: bigserial({ mode: 'number' }),
    deploymentId: uuid('deployment_id').notNull(),
    deviceId: text('device_id').notNull(),
    at: timestamp({ withTimezone: true }).notNull(),
    event: text().notNull(),
    state: text().notNull(),
    detail: text(),
  },
  (t) => [index('target_events_target').on(t.deviceId, t.deploymentId, t.id)],
);
