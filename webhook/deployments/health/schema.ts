import { randomUUID } from 'node:crypto';
import { z } from '@hono/zod-openapi';
import type { HealthPolicy } from '../policy.ts';
import { builtInSignals, signalKey } from './signals.ts';
import { verdicts } from './verdict.ts';

const dayMs = 86_400_000;
const marginPercent = z.number().min(0).max(1000).default(10);
/** `marginPercent`: by how much of the control group's level it may be worse and still pass. */
const signalSchema = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.enum(builtInSignals), marginPercent }),
    z.strictObject({
      kind: z.literal('metric'),
      name: z.string().min(1).max(64),
      better: z.enum(['high', 'low']),
      marginPercent,
    }),
  ])
  .openapi('HealthSignal');

/**
 * Holds a control group back, `count` devices or `percent` of them, and halts when the others come to be worse than it. Windows are how
 * often is looked, and what a device has restarted in or not.
 */
export const healthSchema = z
  .strictObject({
    control: z
      .strictObject({
        count: z.int().min(1).max(1_000_000).optional(),
        percent: z.number().gt(0).max(50).optional(),
      })
      .refine((c) => (c.count === undefined) !== (c.percent === undefined), 'give either count or percent')
      // A generator of clients makes a name of its own for it twice, once for the policy that may be null.
      .openapi('ControlGroup'),
    afterwards: z.enum(['release', 'keep']).default('release'),
    seed: z.string().min(1).max(64).optional(),
    minDevices: z.int().min(5).max(1_000).default(30),
    minObservedMs: z
      .int()
      .min(0)
      .max(30 * dayMs)
      .default(dayMs),
    windowMs: z.int().min(1_000).max(dayMs).default(3_600_000),
    signals: z
      .array(signalSchema)
      .min(1)
      .max(16)
      .refine((all) => new Set(all.map(signalKey)).size === all.length, 'names a signal twice')
      .default([...builtInSignals].map((kind) => ({ kind, marginPercent: 10 }))),
  })
  .openapi('HealthPolicy');

export function toHealth({
  control,
  seed = randomUUID(),
  ...rest
}: z.infer<typeof healthSchema>): HealthPolicy {
  const { count, percent } = control;
  return { ...rest, seed, control: count === undefined ? { percent: percent! } : { count } };
}

/** In the signal's unit (shares of windows or of time, bytes, dBm); the interval holds at all windows together. */
export const judgementSchema = z
  .object({
    signal: z.string(),
    at: z.string(),
    verdict: z.enum(verdicts),
    treatedDevices: z.int(),
    controlDevices: z.int(),
    treatedLevel: z.number(),
    controlLevel: z.number(),
    /** Of the changes since before: with the image less without it. */
    difference: z.number(),
    low: z.number(),
    high: z.number(),
    /** How much worse is still no worse. */
    margin: z.number(),
    better: z.enum(['high', 'low']),
  })
  .openapi('HealthJudgement');

/** From when on a signal that has doubled (or is twice its margin worse) is found with 95 %. */
export const foreseenSchema = z.object({
  /** Of the control group that `waves` names: give it with the deployment to have the same one. */
  seed: z.string(),
  control: z.int(),
  /** The first wave (from 0) with which there are enough devices to judge. */
  judgedFromWave: z.int(),
  needs: z.array(
    z.object({
      signal: z.string(),
      /** What it is now; null: nothing is known. Of `restarts` and `disconnects` the share of the windows. */
      level: z.number().nullable(),
      /** With the devices of that wave; null: cannot be told, or would never be. */
      hours: z.number().nullable(),
      /** Within the time that each wave is watched at least. */
      devices: z.number().nullable(),
    }),
  ),
});
