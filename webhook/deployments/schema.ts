import { z } from '@hono/zod-openapi';
import { deadlineActions, patchFaults } from '#emqx/protocol.ts';
import { approvalSchema, ruleSchema } from '../approvals/schema.ts';
import { chosenFields } from '../devices/chosen.ts';
import { channelSchema } from '../devices/fields.ts';
import { limitsSchema } from '../devices/reach.ts';
import { defaultChannel } from '../devices/table.ts';
import { freezeSchema } from '../freezes/schema.ts';
import { revision } from '../http.ts';
import { type FailureReason, failureReasons } from './failures.ts';
import { foreseenSchema, healthSchema, toHealth } from './health/schema.ts';
import { defaultGate, defaultRollout, type RolloutPolicy } from './policy.ts';
import { haltMeasures, haltReasons, rolloutStates } from './rollout.ts';
import { deferrableSteps, targetStates } from './states.ts';
import { weekdays } from './window.ts';

const percent = z.number().min(0).max(100);
const dayMs = 86_400_000;
const durationMs = z
  .int()
  .min(0)
  .max(30 * dayMs);
const timeoutMs = z.int().min(1_000).max(dayMs);
const gate = {
  successPercent: percent,
  failurePercent: percent,
  silencePercent: percent,
  soakMs: durationMs,
};

/** Up to `count` devices, or `percent` of them, of the whole deployment: `[{count: 1}, {percent: 5}, {percent: 100}]`. */
const waveSchema = z
  .strictObject({
    count: z.int().min(1).optional(),
    percent: z.number().gt(0).max(100).optional(),
    ...z.object(gate).partial().shape,
  })
  .refine((w) => (w.count === undefined) !== (w.percent === undefined), 'give either count or percent');

const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day, HH:MM');

/** By the wall clock of the device's region (UTC without one). A `to` that is not later than `from` is on the day after. */
const windowSchema = z
  .strictObject({
    from: timeOfDay,
    to: timeOfDay,
    /** Those on which it opens. */
    days: z
      .array(z.enum(weekdays))
      .min(1)
      .refine((days) => new Set(days).size === days.length, 'names a day twice')
      .default([...weekdays]),
  })
  .openapi('MaintenanceWindow');

export const policySchema = z
  .strictObject({
    waves: z.array(waveSchema).min(1).max(20).optional(),
    ...z.object(gate).partial().shape,
    ratePerMinute: z.int().min(1).max(1_000_000).nullable().optional(),
    window: windowSchema.nullable().optional(),
    gateTimeoutMs: z
      .int()
      .min(60_000)
      .max(90 * dayMs)
      .nullable()
      .optional(),
    lateJoinersMs: z
      .int()
      .min(60_000)
      .max(365 * dayMs)
      .nullable()
      .optional(),
    maxAttempts: z.int().min(1).max(20).optional(),
    ackTimeoutMs: timeoutMs.optional(),
    downloadTimeoutMs: timeoutMs.optional(),
    installTimeoutMs: timeoutMs.optional(),
    cancelTimeoutMs: timeoutMs.optional(),
    retryDelayMs: timeoutMs.optional(),
    deferralMs: durationMs.optional(),
    atDeadline: z.enum(deadlineActions).optional(),
    health: healthSchema.nullable().optional(),
  })
  .superRefine(({ waves = [] }, context) => {
    const grows = (i: number) => {
      const [a, b] = [waves[i - 1]!, waves[i]!];
      if (a.percent !== undefined && b.percent !== undefined) return b.percent > a.percent;
      return a.count === undefined || b.count === undefined || b.count > a.count;
    };
    for (let i = 1; i < waves.length; i++) {
      if (!grows(i))
        context.addIssue({
          code: 'custom',
          path: ['waves', i],
          message: 'must reach further than the wave before',
        });
    }
    if (waves.length && waves.at(-1)!.percent !== 100) {
      context.addIssue({
        code: 'custom',
        path: ['waves', waves.length - 1],
        message: 'the last wave must be {percent: 100}',
      });
    }
  })
  .openapi('RolloutPolicy');
export type AskedPolicy = z.infer<typeof policySchema>;

/** What was not asked for by default: one wave for all. A wave's own thresholds go before the policy's. */
export function toPolicy(asked: AskedPolicy = {}): RolloutPolicy {
  const {
    waves = [{ percent: 100 }],
    successPercent,
    failurePercent,
    silencePercent,
    soakMs,
    health,
    ...rest
  } = asked;
  const common = defined({ successPercent, failurePercent, silencePercent, soakMs });
  return {
    ...defaultRollout,
    ...defined(rest),
    health: health ? toHealth(health) : null,
    waves: waves.map(({ count, percent, ...own }) => ({
      ...defaultGate(waves.length),
      ...common,
      ...defined(own),
      upTo: count === undefined ? { percent: percent! } : { count },
    })),
  };
}

function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, v]) => v !== undefined)) as never;
}

const waveViewSchema = z.object({
  state: z.enum(['waiting', 'open', 'soaking', 'passed']),
  total: z.int(),
  pending: z.int(),
  active: z.int(),
  succeeded: z.int(),
  failed: z.int(),
  timedOut: z.int(),
  /** Timed out, for good or until the next attempt: some of these are pending too. */
  silent: z.int(),
  skipped: z.int(),
  ...gate,
  /** The group that the others are compared with: it comes last, or never. */
  control: z.boolean(),
  soakUntil: z.string().nullable(),
});
export type WaveView = z.infer<typeof waveViewSchema>;

export const deploymentSchema = z
  .object({
    id: z.uuid(),
    firmware: z.object({
      id: z.uuid(),
      name: z.string(),
      version: z.string(),
      fileName: z.string(),
      sizeBytes: z.int(),
      component: z.string(),
      hardware: z.string(),
    }),
    state: z.enum(rolloutStates),
    /** It has devices beyond the caller's reach, too: nothing can be done with it, and what is counted are those within. */
    beyondReach: z.boolean(),
    createdBy: z.string(),
    /** Another after what people do with it, and when its state changes. */
    revision,
    /** Null: it needs no second person. */
    approval: approvalSchema.nullable(),
    createdAt: z.string(),
    finishedAt: z.string().nullable(),
    startAt: z.string().nullable(),
    policy: z.looseObject({
      ratePerMinute: z.int().nullable(),
      maxAttempts: z.int(),
      window: windowSchema.nullable(),
      gateTimeoutMs: z.int().nullable(),
      lateJoinersMs: z.int().nullable(),
      deferralMs: z.int(),
      atDeadline: z.enum(deadlineActions),
      health: healthSchema.nullable(),
    }),
    /** The hardware is the firmware's. */
    selection: z.object({
      all: z.boolean(),
      regions: z.array(z.string()),
      divisions: z.array(z.string()),
      devices: z.array(z.string()),
      query: z.string().optional(),
      /** Whose query it was when the deployment was made. */
      group: z.string().optional(),
      /** Of whoever made it: it has no device beyond it. */
      reach: limitsSchema.optional(),
      channels: z.array(z.string()).optional(),
    }),
    /** It takes back what that deployment brought: its devices boot their previous image, and download nothing. */
    undoes: z.uuid().nullable(),
    /** The deployment that takes this one back. */
    undoneBy: z.uuid().nullable(),
    /** Until when devices that come to match the selection join; null: none does (or it has not started). */
    joinersUntil: z.string().nullable(),
    /** Of those not sent because of the maintenance window: when it opens for the first of them; null: it is open, or there is none. */
    windowOpensAt: z.string().nullable(),
    /** A freeze holds, and nothing is started until then. */
    frozenUntil: z.string().nullable(),
    /** Why it does not heed freezes; null: it does. */
    freezeOverride: z.string().nullable(),
    /** Empty until a scheduled deployment starts. */
    waves: z.array(waveViewSchema),
    /** Why it halted (or last did, when it ended halted). */
    halted: z
      .object({
        reason: z.enum(haltReasons),
        wave: z.int(),
        message: z.string(),
        at: z.string(),
        /** Of `health_worse`: which of the policy's signals. */
        signals: z.array(z.string()).optional(),
        /** What `message` counts; not of `health_worse`. */
        figures: z
          .object({
            measure: z.enum(haltMeasures),
            devices: z.int(),
            of: z.int(),
            percent: z.number().optional(),
          })
          .optional(),
      })
      .nullable(),
    /** Its targets are older than they are kept: none is listed any more, and the counts stay. */
    targetsForgottenAt: z.string().nullable(),
    total: z.int(),
    counts: z.record(z.enum(targetStates), z.int()),
    figures: z.object({
      /** Succeeded among those that ended, without the skipped and cancelled; null before any has. */
      successRate: z.number().nullable(),
      meanDownloadMs: z.number().nullable(),
      /** Targets that went on from a checkpoint at least once. */
      resumedDownloads: z.int(),
    }),
  })
  .openapi('Deployment');

/** The application on the device puts the next step off: why, until when if it can say, and when it is no longer heard. */
export const deferredSchema = z
  .object({
    step: z.enum(deferrableSteps),
    reason: z.string(),
    until: z.string().nullable(),
    deadline: z.string().nullable(),
  })
  .openapi('Deferral');

export const targetSchema = z
  .object({
    device: z.string(),
    deviceName: z.string(),
    component: z.string(),
    region: z.string().nullable(),
    division: z.string().nullable(),
    state: z.enum(targetStates),
    attempt: z.int(),
    receivedBytes: z.int(),
    totalBytes: z.int(),
    bytesPerSecond: z.number().nullable(),
    error: z.object({ code: z.enum(failureReasons), message: z.string().optional() }).nullable(),
    deferred: deferredSchema.nullable(),
    updatedAt: z.string(),
  })
  .openapi('Target');

/**
 * A device is chosen when it is in any of the regions or divisions, or is named itself; with `all`, also every other one that has
 * the firmware's hardware (of a firmware for a child component: every one that reports such a component). A `query`, or a `group` by
 * its name, leaves of these only those that match; alone it chooses among all devices.
 */
export const selectionSchema = z
  .object({
    firmwareId: z.uuid(),
    ...chosenFields,
    /** Devices that follow another are left out, unless they are named one by one. */
    channels: z.array(channelSchema).min(1).max(20).default([defaultChannel]),
  })
  .openapi('Selection');

export const overrideReason = z.string().trim().min(3).max(500);

export const startSchema = selectionSchema
  .extend({
    policy: policySchema.optional(),
    /** Not before this; the selection is resolved then. */
    startAt: z.iso.datetime({ offset: true }).optional(),
    /** Why it does not heed freezes of the fleet; the audit log keeps it. */
    overrideFreeze: overrideReason.optional(),
  })
  .openapi('NewDeployment');
export type StartRequest = z.infer<typeof startSchema>;

/** Why a chosen device does not get it. Of the first five there is no target; the others' targets are skipped, for a reason of `failures.ts`. */
export const reasons = [
  'no_component',
  'other_hardware',
  'pinned',
  'other_channel',
  'cannot_decrypt',
  ...(['up_to_date', 'downgrade'] as const satisfies FailureReason[]),
] as const;
export type Reason = (typeof reasons)[number];

export const dryRunSchema = z
  .object({
    /** It would wait for a second person, by this rule. Null: for none. */
    approval: ruleSchema.nullable(),
    targets: z.int(),
    /** Of the targets, as they are now; `sleeping` were seen before, and get it when they are back. */
    presence: z.object({ online: z.int(), sleeping: z.int(), neverSeen: z.int() }),
    /**
     * `no_component`: the firmware is for a child component, and the device has reported none of that name. `pinned`: to another version.
     * `other_channel`: it follows another. `cannot_decrypt`: this firmware is sent encrypted only, which the device's program does not know.
     */
    excluded: z.array(z.object({ device: z.string(), reason: z.enum(reasons) })),
    /** How many are excluded for each reason; `excluded` names at most a thousand. */
    excludedCounts: z.record(z.enum(reasons), z.int()),
    /** Targets that first wait for another update of theirs; at most a thousand are named. */
    underWay: z.array(z.object({ device: z.string(), deployment: z.uuid() })),
    /** As the devices are now; at most a thousand of each are named. */
    waves: z.array(z.object({ total: z.int(), devices: z.array(z.string()) })),
    /** For each time zone of the devices that get it (with a maintenance window): when it opens next, or that it is open (`null`). */
    windows: z.array(z.object({ timeZone: z.string(), devices: z.int(), opensAt: z.string().nullable() })),
    /** Of the moment that it would start: a freeze holds until then. Null: none does, or it overrides them. */
    frozenUntil: z.string().nullable(),
    /** Those that hold then or come within 30 days. */
    freezes: z.array(freezeSchema),
    /** How long applications may put it off, and what devices do then: from the policy. */
    deferralMs: z.int(),
    atDeadline: z.enum(deadlineActions),
    /** Null without a gate. */
    health: foreseenSchema.nullable(),
    /** Every image once, whole. */
    egressBytes: z.int(),
    /**
     * What would be sent with patches and compressed images, as far as they are known: to how many devices by patch, to how many others compressed, for
     * how many it is being made, and for how many it waits to be signed.
     */
    patches: z.object({
      devices: z.int(),
      compressed: z.int(),
      making: z.int(),
      unsigned: z.int(),
      egressBytes: z.int(),
    }),
    /** Of the bytes, whole and with patches, at `PRICE_PER_MB`; null where no price is known. */
    cost: z.object({ currency: z.string(), whole: z.number(), withPatches: z.number() }).nullable(),
    /** From the policy and `measuredBytesPerSecond`, if every device can be reached, puts nothing off and succeeds at once; null without a measurement. */
    expectedMs: z.number().nullable(),
    /** Mean of the latest successful downloads of that hardware, or of any. */
    measuredBytesPerSecond: z.number().nullable(),
  })
  .openapi('DryRun');
export type DryRun = z.infer<typeof dryRunSchema>;

export const patchFiguresSchema = z
  .object({
    /** Devices that have made the image out of their own by a patch. */
    applied: z.int(),
    /** Devices that were offered one and took the whole image, by their reason in `faults`. */
    fellBack: z.int(),
    faults: z.partialRecord(z.enum(patchFaults), z.int()),
    /** Bytes of images that did not go over the air. */
    savedBytes: z.int(),
  })
  .openapi('PatchFigures');
export type PatchFigures = z.infer<typeof patchFiguresSchema>;
