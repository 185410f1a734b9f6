/** What a job may do: each act on a batch of devices at a time, with the operations of the feature that owns it. */
import { z } from '@hono/zod-openapi';
import { banMany } from '../certificates/blocked-ban.ts';
import { kick } from '../certificates/blocked-kick.ts';
import type { Context } from '../context.ts';
import type { Db } from '../db/query.ts';
import { channelSchema, maxTags, tagSchema, versionSchema } from '../devices/fields.ts';
import { followMany, moveMany, pinMany, tagMany } from '../devices/many.ts';
import { beyondReach, ensureKept, type Reach } from '../devices/reach.ts';
import type { Role } from '../http.ts';
import type { LiveKind } from '../live/live.ts';
import { commandFields, sendMany } from '../telemetry/commands.ts';
import type { JobFailure } from './table.ts';

/** Devices with which it was not done, with the reason. */
export type Failures = Map<string, JobFailure>;

interface Act<Fields extends z.ZodRawShape> {
  role: Role;
  summary: string;
  fields: Fields;
  /** What would change nothing is refused. */
  isNothing?(args: z.infer<z.ZodObject<Fields>>): boolean;
  /** Throws for what would take devices out of the reach of who asks. */
  keeps?(reach: Reach, args: z.infer<z.ZodObject<Fields>>): void;
  /** Who watches a device is told by this. */
  tells: LiveKind;
  apply(tx: Db, devices: string[], args: z.infer<z.ZodObject<Fields>>, actor: string): Promise<Failures>;
  /** After the commit. */
  after?(context: Context, devices: string[]): Promise<void>;
}

const act = <Fields extends z.ZodRawShape>(description: Act<Fields>) => description;
const tags = z.array(tagSchema).max(maxTags).default([]);

export const acts = {
  tag: act({
    role: 'admin',
    summary: 'Add tags to devices, and take tags away',
    fields: { add: tags, remove: tags },
    isNothing: ({ add, remove }) => add.length + remove.length === 0,
    tells: 'device',
    apply: (tx, devices, args) => tagMany(tx, devices, args),
  }),
  move: act({
    role: 'admin',
    summary: 'Move devices to a region; null takes them out of theirs',
    fields: { region: z.uuid().nullable() },
    keeps(reach, { region }) {
      ensureKept(reach, { region });
      if (reach.limits !== null && region === null) throw beyondReach();
    },
    tells: 'device',
    apply: (tx, devices, { region }) => moveMany(tx, devices, region),
  }),
  pin: act({
    role: 'admin',
    summary:
      'Pin devices to a version: deployments of another leave them out, unless they are named one by one',
    fields: { version: versionSchema },
    tells: 'device',
    apply: (tx, devices, { version }) => pinMany(tx, devices, version),
  }),
  unpin: act({
    role: 'admin',
    summary: 'Let devices take any version again',
    fields: {},
    tells: 'device',
    apply: (tx, devices) => pinMany(tx, devices, null),
  }),
  channel: act({
    role: 'admin',
    summary:
      'Let devices follow a channel: deployments of others leave them out, unless they are named one by one',
    fields: { channel: channelSchema },
    tells: 'device',
    apply: (tx, devices, { channel }) => followMany(tx, devices, channel),
  }),
  command: act({
    role: 'operator',
    summary: 'Send a command to devices; it waits for those that are away',
    fields: commandFields,
    tells: 'command',
    apply: (tx, devices, { command, args }, actor) => sendMany(tx, devices, command, args, actor),
  }),
  ban: act({
    role: 'admin',
    summary: 'Ban devices, whatever their certificates',
    fields: { reason: z.string().trim().max(500).default('') },
    tells: 'device',
    apply: (tx, devices, { reason }, actor) => banMany(tx, devices, reason, actor),
    after: kick,
  }),
};

export type ActName = keyof typeof acts;
