/** `/publish/bulk`: everything is checked before anything is sent; then in order. */
import type { Hono } from 'hono';
import { z } from 'zod';
import { known } from './api-answers.ts';
import { newMessageId } from './event-columns.ts';
import { isName } from './well-formed.ts';

export interface ApiMessage {
  topic: string;
  payload: Buffer;
  qos: 0 | 1 | 2;
  /** Milliseconds since 1970. */
  messageExpiry?: number;
}
export interface Publisher {
  maxPacketBytes: number;
  /** False when nobody is subscribed. */
  publish(message: ApiMessage): Promise<boolean>;
}

const messageSchema = known({
  topic: z.string(),
  payload: z.string(),
  qos: z.literal([0, 1, 2]).default(0),
  // Those of the user are for MQTT 5, which nobody speaks here.
  properties: known({
    message_expiry_interval: z.int().min(0).optional(),
    user_properties: z.unknown().optional(),
  }).optional(),
});

export function routePublish(app: Hono, { maxPacketBytes, publish }: Publisher): void {
  const noSubscribers = { message: 'no_matching_subscribers', reason_code: 16 };
  app.post('/publish/bulk', async (c) => {
    const given = z.array(messageSchema).parse(await c.req.json());
    if (given.length === 0) return c.json({ code: 'INTERNAL_ERROR', message: 'empty_batch' }, 500);
    const messages = given.map(toMessage);
    if (!messages.every(({ topic }) => isName(topic)))
      return c.json({ reason_code: 144, message: 'topic_name_invalid' }, 400);
    if (messages.some(({ payload }) => payload.length > maxPacketBytes))
      return c.json({ reason_code: 151, message: 'packet_too_large' }, 400);
    const routed = await Promise.all(messages.map(publish));
    const shown = routed.map((one) => (one ? { id: newMessageId() } : noSubscribers));
    return c.json(shown, routed.every(Boolean) ? 200 : 202);
  });
}

function toMessage({ topic, payload, qos, properties }: z.output<typeof messageSchema>): ApiMessage {
  const expiry = properties?.message_expiry_interval;
  const expires = expiry === undefined ? {} : { messageExpiry: Date.now() + expiry * 1_000 };
  return { topic, payload: Buffer.from(payload), qos, ...expires };
}
