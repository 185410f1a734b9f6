import { bigint, bigserial, index, pgTable, text, timestamp } from 'drizzle-orm/pg-core';

/**
 * Critical messages that were handled: makes handling idempotent by (device, id). Partitioned by week (`db/partitions.ts`), and so without a
 * key; that a message is there once only is kept by the lock of its device.
 */
export const receivedMessages = pgTable(
  'received_messages',
  {
    deviceId: text('device_id').notNull(),
    messageId: text('message_id').notNull(),
    /** SHA-256 of topic and payload: the same id with another body is no duplicate. */
    digest: text().notNull(),
    receivedAt: timestamp('received_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [index('received_messages_id').on(t.deviceId, t.messageId)],
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
    /** Whose quota it takes from: the registered device that sent it, or `''`, which all others share. */
    owner: text().notNull().default(''),
  },
  (t) => [index('dead_letters_at').on(t.receivedAt), index('dead_letters_owner').on(t.owner, t.id)],
);

/** How many were dropped, unseen or before their time, because there were too many of that owner. */
export const droppedLetters = pgTable('dropped_letters', {
  owner: text().primaryKey(),
  letters: bigint({ mode: 'number' }).notNull(),
  bytes: bigint({ mode: 'number' }).notNull(),
});
