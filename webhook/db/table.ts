import { pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core';

/** Of work that one copy does at a time (`lease.ts`). */
export const leases = pgTable('leases', {
  name: text().primaryKey(),
  holder: uuid().notNull(),
  beganAt: timestamp('began_at', { withTimezone: true }).notNull(),
  endsAt: timestamp('ends_at', { withTimezone: true }).notNull(),
  /** The work of that holder is done; null: it is under way, or was given up. */
  doneAt: timestamp('done_at', { withTimezone: true }),
});
