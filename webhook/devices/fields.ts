/** What a device is: as the registry takes it, changes it and returns it. */
import { z } from '@hono/zod-openapi';
import { deviceIdSchema } from '#emqx/protocol.ts';
import { revision } from '../http.ts';
import { unpinned } from './query/grammar.ts';

export const hardwareSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
export const maxTags = 32;
export const nameSchema = z.string().trim().min(1).max(100);
export const tagSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/);
export const versionSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/, 'must be a version, such as 1.4.2')
  .refine((version) => version !== unpinned, `cannot be ${unpinned}`);
export const channelSchema = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,31}$/, 'must be a short name: lower case, digits, hyphens');

/** What an admin says of it; each is a column of `table.ts` of the same name. */
const told = z.object({
  name: nameSchema,
  hardware: hardwareSchema,
  tags: z.array(tagSchema).max(maxTags),
  /** The version of its main component that it is to stay at; null: any. */
  pinned: versionSchema.nullable(),
  /** It takes deployments of this channel. */
  channel: channelSchema,
});
export const toldFields = told.keyof().options;

export const newDeviceSchema = told
  .partial()
  .required({ hardware: true })
  .extend({ id: deviceIdSchema, region: z.uuid().optional(), division: z.uuid().optional() });
export type NewDevice = z.infer<typeof newDeviceSchema>;

/** Null takes it out of its region or division. */
export const deviceChangeSchema = told
  .partial()
  .extend({ region: z.uuid().nullable().optional(), division: z.uuid().nullable().optional() })
  .refine((input) => Object.keys(input).length > 0, 'must change something');
export type DeviceChange = z.infer<typeof deviceChangeSchema>;

const place = z.object({ id: z.uuid(), name: z.string() });

export const deviceSchema = told
  .extend({
    id: z.string(),
    region: place.nullable(),
    division: place.nullable(),
    online: z.boolean(),
    /** By its last report; null before any. */
    health: z.enum(['ok', 'degraded', 'failing']).nullable(),
    connectedAt: z.string().nullable(),
    lastSeenAt: z.string().nullable(),
    running: z.array(
      z.object({
        component: z.string(),
        /** As a child component reported it; null of the main one, whose is the device's. */
        hardware: z.string().nullable(),
        version: z.string(),
        sha256: z.string(),
        securityVersion: z.int(),
        /** What its last successful update left there; it has drifted when it runs another image. Null: none has left any. */
        expected: z.object({ version: z.string(), sha256: z.string(), at: z.string() }).nullable(),
      }),
    ),
    certificate: z.object({ serial: z.string(), notAfter: z.string() }).nullable(),
    createdAt: z.string(),
    revision,
  })
  .openapi('Device');
export type DeviceView = z.infer<typeof deviceSchema>;
