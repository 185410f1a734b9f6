import { type SQL, sql } from 'drizzle-orm';
import {
  bigint,
  bigserial,
  boolean,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core';
import { revision } from '../db/revision.ts';

export const regions = pgTable('regions', {
  id: uuid().primaryKey().defaultRandom(),
  name: text().notNull().unique(),
  /** IANA name: maintenance windows go by its wall clock. */
  timeZone: text('time_zone').notNull().default('UTC'),
  revision: revision(),
});

export const divisions = pgTable('divisions', {
  id: uuid().primaryKey().defaultRandom(),
  name: text().notNull().unique(),
  revision: revision(),
});

/** Queries that somebody has named (`query/grammar.ts`). */
export const deviceGroups = pgTable('device_groups', {
  id: uuid().primaryKey().defaultRandom(),
  name: text().notNull().unique(),
  query: text().notNull(),
  /** What its devices are pinned to, and which channel they follow, where nothing was said of them one by one. */
  pinned: text(),
  channel: text(),
  createdBy: text('created_by').notNull(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  updatedAt: timestamp('updated_at', { withTimezone: true }).notNull().defaultNow(),
  revision: revision(),
});

/** Of devices, and deployments, of which nothing else was said. */
export const defaultChannel = 'stable';

export const hourOf = (moment: SQL): SQL =>
  sql`date_bin(interval '1 hour', ${moment}, timestamptz '2000-01-01 00:00:00+00')`;

/** `id` is the common name of the device's certificate. */
export const devices = pgTable(
  'devices',
  {
    id: text().primaryKey(),
    name: text().notNull(),
    regionId: uuid('region_id').references(() => regions.id),
    divisionId: uuid('division_id').references(() => divisions.id),
    hardware: text().notNull(),
    tags: text().array().notNull().default(sql`'{}'::text[]`),
    /** The version of its main component that it is to stay at. */
    pinned: text(),
    /** Whose deployments it takes. */
    channel: text().notNull().default(defaultChannel),
    /** Of what is told of it. One that is registered anew begins at another than it had: they begin with the clock. */
    revision: revision().default(sql`(extract(epoch from now()) * 1000000)::bigint`),
    online: boolean().notNull().default(false),
    /** Subscribed to its request topic since it connected: from then on commands reach it. */
    reachable: boolean().notNull().default(false),
    /** Of the present (or last) connection, broker's clock: an older disconnect may arrive after a newer connect. */
    connectedAt: timestamp('connected_at', { withTimezone: true }),
    lastSeenAt: timestamp('last_seen_at', { withTimezone: true }),
    /** What the index has instead: a device is heard every few minutes, and each time an entry would be new in every index. */
    seenHour: timestamp('seen_hour', { withTimezone: true }).generatedAlwaysAs(
      (): SQL => hourOf(sql`last_seen_at`),
    ),
    /** That it is away for long was told then; newer than `lastSeenAt` while it still is. */
    silenceToldAt: timestamp('silence_told_at', { withTimezone: true }),
    certificateSerial: text('certificate_serial'),
    /** It is banned, or its connection is by a revoked certificate: it is kicked and gets no command. */
    blocked: boolean().notNull().default(false),
    health: jsonb(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [
    index('devices_region').on(t.regionId),
    index('devices_division').on(t.divisionId),
    index('devices_hardware').on(t.hardware),
    index('devices_blocked').on(t.id).where(sql`blocked`),
    index('devices_pinned').on(t.pinned).where(sql`pinned is not null`),
    index('devices_channel').on(t.channel),
    index('devices_name').on(t.name, t.id),
    index('devices_seen').on(t.seenHour.asc().nullsFirst(), t.id),
    index('devices_created').on(t.createdAt, t.id),
    index('devices_tags').using('gin', t.tags),
    // For the beginning of one; a part of one has trigrams (`db/search.ts`).
    index('devices_id_begins').on(sql`lower(id) text_pattern_ops`),
    index('devices_name_begins').on(sql`lower(name) text_pattern_ops`),
  ],
);

/**
 * How many devices are how: sums of these rows, which only the triggers on `devices` insert (one for each kind of device that a statement
 * has moved, so that nobody waits for another's lock) and `tallies.ts` gathers.
 */
export const deviceTallies = pgTable('device_tallies', {
  regionId: uuid('region_id'),
  divisionId: uuid('division_id'),
  hardware: text().notNull(),
  online: boolean().notNull(),
  /** Heard of at least once. */
  seen: boolean().notNull(),
  /** State of its last health report. */
  health: text(),
  n: integer().notNull(),
});

/**
 * How many components run what, in the same way: the triggers on `components` insert these, and those on `devices` when devices move. A row
 * without a component counts devices of which anything is known.
 */
export const componentTallies = pgTable('component_tallies', {
  regionId: uuid('region_id'),
  divisionId: uuid('division_id'),
  component: text(),
  version: text(),
  sha256: text(),
  n: integer().notNull(),
});

/**
 * What a device has counted its boots in (`epoch` of the protocol), numbered as the epochs came: one that was left never comes back.
 * A device that tells none has a row for each time that it has enrolled anew.
 */
export const deviceEpochs = pgTable(
  'device_epochs',
  {
    deviceId: text('device_id')
      .notNull()
      .references(() => devices.id, { onDelete: 'cascade' }),
    epoch: text().notNull(),
    number: integer().notNull(),
  },
  (t) => [primaryKey({ columns: [t.deviceId, t.epoch] })],
);

/** Of a row of `components`: it attests another image than its last update left there. */
export const hasDrifted = sql`sha256 <> expected_sha256`;

/**
 * What each component of a device runs, by its last attested report; `epochNumber`, `bootSeq` and `seqNumber`, in this order, keep
 * older reports out.
 */
export const components = pgTable(
  'components',
  {
    deviceId: text('device_id')
      .notNull()
      .references(() => devices.id, { onDelete: 'cascade' }),
    component: text().notNull(),
    /** As a child component reports it; the main component's is the device's own. */
    hardware: text(),
    version: text().notNull(),
    sha256: text().notNull(),
    /** What it attested before that, which its other slot holds; null: nothing else yet. */
    previousSha256: text('previous_sha256'),
    securityVersion: integer('security_version').notNull(),
    /** What its last successful update left there, and when; null: none has. */
    expectedSha256: text('expected_sha256'),
    expectedVersion: text('expected_version'),
    expectedAt: timestamp('expected_at', { withTimezone: true }),
    /** Its program knows undos: it can be told to boot what it ran before. */
    undo: boolean().notNull().default(false),
    /** The form of patches that its program takes; null: none. */
    patch: text(),
    /** It takes compressed images. */
    compressed: boolean().notNull().default(false),
    /** The form of sealed objects that its program opens; null: none. */
    seal: text(),
    epochNumber: integer('epoch_number').notNull().default(0),
    bootSeq: integer('boot_seq').notNull(),
    seqNumber: integer('seq_number').notNull(),
    reportedAt: timestamp('reported_at', { withTimezone: true }).notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.deviceId, t.component] }),
    index('components_sha256').on(t.sha256),
    index('components_version').on(t.component, t.version, t.deviceId),
    index('components_drifted').on(t.deviceId).where(hasDrifted),
  ],
);

/** What a device went through unasked. Partitioned by day (`db/partitions.ts`), and so without a key. */
export const deviceIncidents = pgTable(
  'device_incidents',
  {
    id: bigserial({ mode: 'number' }),
    deviceId: text('device_id').notNull(),
    /** Broker's clock; of an outage, its end. */
    at: timestamp({ withTimezone: true }).notNull(),
    kind: text({ enum: ['restart', 'crash', 'outage'] }).notNull(),
    /** How many restarts (those that could not be told included), or for how many ms it was away. */
    amount: bigint({ mode: 'number' }).notNull(),
  },
  (t) => [index('device_incidents_device').on(t.deviceId, t.at)],
);
