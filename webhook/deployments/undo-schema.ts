import { z } from '@hono/zod-openapi';
import { deploymentSchema, policySchema } from './schema.ts';

/** Why a device that a deployment has updated cannot boot what it ran before. */
export const undoReasons = ['no_undo', 'other_previous', 'downgrade', 'slot_overwritten'] as const;
export type UndoReason = (typeof undoReasons)[number];

export const undoDryRunSchema = z
  .object({
    /** What they go back to; null: nothing is known that they could. */
    firmware: z.object({ id: z.uuid(), name: z.string(), version: z.string() }).nullable(),
    /** Those that may still be at work on it are among them: they get the order when that has ended. */
    targets: z.int(),
    /** Of the targets; `sleeping` were seen before, and are told when they are back, within a week. */
    presence: z.object({ online: z.int(), sleeping: z.int(), neverSeen: z.int() }),
    /**
     * `no_undo`: its program knows none. `other_previous`: it ran something else before, or nobody knows what. `downgrade`: it has
     * confirmed a higher securityVersion. `slot_overwritten`: a later deployment has written where the image was. At most a thousand.
     */
    excluded: z.array(z.object({ device: z.string(), reason: z.enum(undoReasons) })),
    excludedCounts: z.record(z.enum(undoReasons), z.int()),
    egressBytes: z.int(),
  })
  .openapi('UndoDryRun');
export type UndoDryRun = z.infer<typeof undoDryRunSchema>;

export const undoRequestSchema = z
  .object({
    policy: policySchema.optional(),
    /** Those that cannot (but for a lower securityVersion, which none of them takes) get an ordinary deployment of the older version. */
    others: z.boolean().default(false),
  })
  .openapi('UndoRequest');
export type UndoRequest = z.infer<typeof undoRequestSchema>;

export const undoneSchema = z
  .object({ undo: deploymentSchema, others: deploymentSchema.nullable() })
  .openapi('UndoneDeployment');
