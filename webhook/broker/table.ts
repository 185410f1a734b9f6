import { bigint, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';

/** What the broker had lost when that was last told, by its own counts: more than this is news. */
export const brokerLosses = pgTable(
  'broker_losses',
  {
    kind: text({ enum: ['rule', 'action'] }).notNull(),
    id: text().notNull(),
    why: text().notNull(),
    count: bigint({ mode: 'number' }).notNull(),
    toldAt: timestamp('told_at', { withTimezone: true }).notNull(),
  },
  (t) => [primaryKey({ columns: [t.kind, t.id, t.why] })],
);
