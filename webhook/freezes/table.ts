import { sql } from 'drizzle-orm';
import { check, index, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import { revision } from '../db/revision.ts';

/** Days on which no update starts anywhere: whole ones, both included, by the wall clock of the time zone. */
export const freezes = pgTable(
  'freezes',
  {
    id: uuid().primaryKey().defaultRandom(),
    name: text().notNull(),
    /** `YYYY-MM-DD`. */
    firstDay: text('first_day').notNull(),
    lastDay: text('last_day').notNull(),
    /** IANA name. */
    timeZone: text('time_zone').notNull(),
    /** The same as moments: from `startsAt` until before `endsAt`. */
    startsAt: timestamp('starts_at', { withTimezone: true }).notNull(),
    endsAt: timestamp('ends_at', { withTimezone: true }).notNull(),
    createdBy: text('created_by').notNull(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
    revision: revision(),
  },
  (t) => [index('freezes_ends').on(t.endsAt), check('freezes_in_order', sql`starts_at < ends_at`)],
);
