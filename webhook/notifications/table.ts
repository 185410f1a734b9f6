import { sql } from 'drizzle-orm';
import {
  bigint,
  bigserial,
  boolean,
  index,
  integer,
  jsonb,
  pgSequence,
  pgTable,
  primaryKey,
  text,
  timestamp,
  unique,
  uuid,
} from 'drizzle-orm/pg-core';
import { revision } from '../db/revision.ts';
import { deviceGroups, regions } from '../devices/table.ts';
import type { Fact, Kind } from './kinds.ts';
import { severities } from './kinds.ts';
import type { Secret } from './signature.ts';

export const channelLanguages = ['en', 'ko'] as const;
export type ChannelLanguage = (typeof channelLanguages)[number];

export const channelKinds = ['webhook', 'slack', 'email'] as const;

export const notificationChannels = pgTable('notification_channels', {
  id: uuid().primaryKey().defaultRandom(),
  name: text().notNull().unique(),
  kind: text({ enum: channelKinds }).notNull(),
  /** Of a webhook, or of Slack's, where it is a secret itself. */
  url: text(),
  /** Of e-mail. */
  recipients: jsonb().$type<string[]>(),
  /** Of a signed webhook, the newest first; they are kept as they are, because each delivery is signed with them. */
  secrets: jsonb().$type<Secret[]>().notNull().default([]),
  /** In which those who read it are told. */
  language: text({ enum: channelLanguages }).notNull().default('en'),
  createdBy: text('created_by').notNull(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  revision: revision(),
});

/** By the wall clock of the zone; `to` may be on the next day. */
export interface QuietHours {
  from: string;
  to: string;
  timeZone: string;
}

export const notificationRules = pgTable('notification_rules', {
  id: uuid().primaryKey().defaultRandom(),
  name: text().notNull().unique(),
  enabled: boolean().notNull(),
  kinds: jsonb().$type<Kind[]>().notNull(),
  /** Null: everywhere. */
  regionId: uuid('region_id').references(() => regions.id),
  minSeverity: text('min_severity', { enum: severities }).notNull(),
  quietHours: jsonb('quiet_hours').$type<QuietHours>(),
  /** Of the kind `group_matches`: the saved query that it watches, and how many devices may match it. */
  watchedGroupId: uuid('watched_group_id').references(() => deviceGroups.id),
  watchAbove: integer('watch_above'),
  /** Told, and not back since. */
  watchTold: boolean('watch_told').notNull().default(false),
  createdBy: text('created_by').notNull(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  revision: revision(),
});

export const notificationRuleChannels = pgTable(
  'notification_rule_channels',
  {
    ruleId: uuid('rule_id')
      .notNull()
      .references(() => notificationRules.id, { onDelete: 'cascade' }),
    channelId: uuid('channel_id')
      .notNull()
      .references(() => notificationChannels.id),
  },
  (t) => [
    primaryKey({ columns: [t.ruleId, t.channelId] }),
    index('notification_rule_channels_channel').on(t.channelId),
  ],
);

export const eventNumbers = pgSequence('notification_event_numbers');

/** What has happened, written in the transaction in which it did; its id is the one that receivers are told. */
export const notificationEvents = pgTable(
  'notification_events',
  {
    id: uuid().primaryKey().defaultRandom(),
    key: text().notNull().unique(),
    kind: text().$type<Fact['kind']>().notNull(),
    severity: text({ enum: severities }).notNull(),
    regionIds: jsonb('region_ids').$type<string[]>().notNull(),
    data: jsonb().$type<Record<string, unknown>>().notNull(),
    at: timestamp({ withTimezone: true }).notNull().defaultNow(),
    /** The rules have been asked who is to be told. */
    ruledAt: timestamp('ruled_at', { withTimezone: true }),
    /** Its place in the feed, given with `ruledAt`, in the order in which they become visible. */
    number: bigint({ mode: 'number' }).unique(),
  },
  (t) => [
    index('notification_events_at').on(t.at),
    index('notification_events_unruled').on(t.at).where(sql`ruled_at is null`),
  ],
);

export const deliveryStates = ['waiting', 'delivered', 'dead'] as const;
/** Why a delivery was not taken: one union for the log, the console and the tests. */
export const faults = [
  'address_refused',
  'name_unresolved',
  'unreachable',
  'timed_out',
  'redirected',
  'refused',
  'mail_refused',
  'mail_not_configured',
  'channel_deleted',
] as const;
export type Fault = (typeof faults)[number];

/** One event to one channel: the outbox while it waits, the log afterwards. Claimed under a lease, like a command. */
export const notificationDeliveries = pgTable(
  'notification_deliveries',
  {
    id: bigserial({ mode: 'number' }).primaryKey(),
    eventId: uuid('event_id')
      .notNull()
      .references(() => notificationEvents.id, { onDelete: 'cascade' }),
    channelId: uuid('channel_id').references(() => notificationChannels.id, { onDelete: 'set null' }),
    /** As they were: the log outlives rules and channels. */
    channelName: text('channel_name').notNull(),
    channelKind: text('channel_kind', { enum: channelKinds }).notNull(),
    target: text().notNull(),
    /** Null: the button for a test. */
    rule: text(),
    state: text({ enum: deliveryStates }).notNull().default('waiting'),
    tries: integer().notNull().default(0),
    /** Not before this; a lease while a copy is at it. */
    dueAt: timestamp('due_at', { withTimezone: true }).notNull(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
    triedAt: timestamp('tried_at', { withTimezone: true }),
    deliveredAt: timestamp('delivered_at', { withTimezone: true }),
    /** Of the last try: HTTP's or SMTP's code, and the beginning of what was said. */
    status: integer(),
    answer: text(),
    fault: text({ enum: faults }),
  },
  (t) => [
    unique('notification_deliveries_once').on(t.eventId, t.channelId),
    index('notification_deliveries_channel').on(t.channelId, t.id),
    index('notification_deliveries_due').on(t.dueAt).where(sql`state = 'waiting'`),
    index('notification_deliveries_state').on(t.state, t.id),
  ],
);
