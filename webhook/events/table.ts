import { bigserial, index, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';

/** Critical messages that were handled: makes handling idempotent by (device, id). */
export const receivedMessages = pgTable(
  'received_messages',
  {
    deviceId: text('device_id').notNull(),
    messageId: text('message_id').notNull(),
    /** SHA-256 of topic and payload: the same id with another body is no duplicate. */
    digest: text().notNull(),
    receivedAt: timestamp('received_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.deviceId, t.messageId] }), index('received_messages_at').on(t.receivedAt)],
);

/** What can never be handled, kept for an admin to see. */
export const deadLetters = pgTable(
  'dead_letters',
  {
    id: bigserial({ mode: 'number' }).primaryKey(),
    receivedAt: timestamp('received_at', { withTimezone: true }).notNull().defaultNow(),
    code: text().notNull(),
    detail: text().notNull(),
    clientId: text('client_id'),
    topic: text(),
    body: text().notNull(),
  },
  (t) => [index('dead_letters_at').on(t.receivedAt)],
);
