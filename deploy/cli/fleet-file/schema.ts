/** What a fleet file may say. Each thing is named by its key; names stand where the API has ids. */
import { z } from 'zod';
import { policySchema } from '#webhook/deployments/schema.ts';
import { channelSchema, hardwareSchema, versionSchema } from '#webhook/devices/fields.ts';
import { queryTextSchema } from '#webhook/devices/query/schema.ts';
import { isTimeZone } from '#webhook/devices/time-zone.ts';
import { kinds, severities } from '#webhook/notifications/kinds.ts';

export const defaultOwner = 'fleet';
const name = z
  .string()
  .min(1)
  .max(100)
  .refine((text) => text.trim() === text, 'must not begin or end with a space');
const timeZone = z.string().refine(isTimeZone, 'must be a time zone such as Europe/Madrid');
const time = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be HH:MM, in quotes');
/** A key without a value says that all is by default. */
const orEmpty = (value: unknown) => value ?? {};
const named = <S extends z.ZodType>(value: S, key: z.ZodType<string, string> = name) =>
  z.preprocess(orEmpty, z.record(key, z.preprocess(orEmpty, value))).default({});

/** Checked where what it has of the environment is filled in. */
const url = z.string().max(2_000);
const channel = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('webhook'), url }),
  z.strictObject({ kind: z.literal('slack'), url }),
  z.strictObject({ kind: z.literal('email'), recipients: z.array(z.email()).min(1).max(20) }),
]);
const rule = z.strictObject({
  enabled: z.boolean().default(true),
  kinds: z.array(z.enum(kinds)).min(1),
  region: name.nullable().default(null),
  minSeverity: z.enum(severities).default('info'),
  quietHours: z.strictObject({ from: time, to: time, timeZone }).nullable().default(null),
  /** Of the kind group_matches: more devices than so many in a group. */
  watch: z
    .strictObject({ group: name, aboveDevices: z.int().min(0).max(10_000_000) })
    .nullable()
    .default(null),
  channels: z.array(name).min(1).max(20),
});

export const fleetSchema = z.preprocess(
  orEmpty,
  z.strictObject({
    owner: name.default(defaultOwner),
    regions: named(z.strictObject({ timeZone: timeZone.default('UTC') })),
    divisions: named(z.strictObject({})),
    groups: named(
      z.strictObject({
        query: queryTextSchema,
        /** What its devices follow and are pinned to, where nothing else was said of one. */
        channel: channelSchema.nullable().default(null),
        pinned: versionSchema.nullable().default(null),
      }),
    ),
    policies: named(policySchema),
    channels: named(channel),
    rules: named(rule),
    /** Deployments that wait for a second person: of firmware of the hardware, or of any. */
    approvals: named(
      z.strictObject({ aboveDevices: z.int().min(0).max(10_000_000).default(0) }),
      z.union([z.literal('*'), hardwareSchema]),
    ),
    /** Hardware whose firmware is kept and sent encrypted. */
    encryption: named(z.strictObject({}), hardwareSchema),
  }),
);
export type Fleet = z.infer<typeof fleetSchema>;
export type ChannelAddress = z.infer<typeof channel>;
