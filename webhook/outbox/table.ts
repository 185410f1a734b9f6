import { bigserial, index, integer, jsonb, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core';

/**
 * Commands on their way to the broker. A `request` row names its attempt only: the URL is made when it is sent. `body` of the
 * others is the whole message. A row is claimed under a lease, so a copy that dies loses nothing.
 */
export const outbox = pgTable(
  'outbox',
  {
    id: bigserial({ mode: 'number' }).primaryKey(),
    deviceId: text('device_id').notNull(),
    topic: text().notNull(),
    deploymentId: uuid('deployment_id'),
    attempt: integer(),
    body: jsonb().$type<Record<string, unknown>>(),
    tries: integer().notNull().default(0),
    /** Not before this; a lease while a copy is sending it. Null: parked until the device subscribes again. */
    sendAt: timestamp('send_at', { withTimezone: true }),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [index('outbox_send_at').on(t.sendAt), index('outbox_device').on(t.deviceId)],
);
