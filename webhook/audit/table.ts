import { bigserial, index, jsonb, pgTable, text, timestamp } from 'drizzle-orm/pg-core';

/** Who did what to what; written in the transaction of the act itself, each entry chained to the one before it (`chain.ts`). */
export const auditLog = pgTable(
  'audit_log',
  {
    /** Counts without gaps. */
    id: bigserial({ mode: 'number' }).primaryKey(),
    at: timestamp({ withTimezone: true }).notNull().defaultNow(),
    actor: text().notNull(),
    action: text().notNull(),
    subject: text().notNull(),
    detail: jsonb().$type<Record<string, unknown>>(),
    /** SHA-256 of this entry and the hash before it; null in entries from before there was a chain, which a seal covers. */
    hash: text(),
  },
  (t) => [index('audit_log_at').on(t.at), index('audit_log_subject').on(t.subject)],
);
