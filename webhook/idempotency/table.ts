import { customType, index, integer, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' });

/** What a caller has sent under a key of its own, and what it was answered; one that is sent again is answered from here. */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    caller: text().notNull(),
    /** SHA-256 of the key, which seals the answer (`sealed.ts`) and is therefore not kept. */
    keyHash: text('key_hash').notNull(),
    /** SHA-256 of method, path and body. */
    request: text().notNull(),
    /** Null while the request is being worked on, or if a copy died over it. */
    status: integer(),
    answer: bytea(),
    startedAt: timestamp('started_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.caller, t.keyHash] }), index('idempotency_keys_age').on(t.startedAt)],
);
