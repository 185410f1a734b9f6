/** `/publish` and `/publish/bulk`: everything is checked before anything is sent; then in order. */
import type { Hono } from 'hono';
import { z } from 'zod';
import { newMessageId } from './event-columns.ts';

export interface ApiMessage {
  topic: string;
  payload: Buffer;
  qos: 0 | 1 | 2;
  retain: boolean;
  /** Milliseconds since 1970. */
  messageExpiry?: number;
}
export interface Publisher {
  maxPacketBytes: number;
  /** False when nobody is subscribed. */
  publish(message: ApiMessage): Promise<boolean>;
}

const ignored = z.unknown().optional();
const messageSchema = z.strictObject({
  topic: z.string(),
  payload: z.string(),
  payload_encoding: z.enum(['plain', 'base64']).default('plain'),
  qos: z.coerce
    .number()
    .pipe(z.literal([0, 1, 2]))
    .default(0),
  retain: z.literal([true, false, 'true', 'false']).default(false),
  properties: z
    .strictObject({
      message_expiry_interval: z.coerce.number().int().min(0).optional(),
      ...{ payload_format_indicator: ignored, response_topic: ignored, correlation_data: ignored },
      ...{ user_properties: ignored, content_type: ignored },
    })
    .optional(),
  clientid: ignored,
});

export function routePublish(app: Hono, { maxPacketBytes, publish }: Publisher): void {
  const noSubscribers = { message: 'no_matching_subscribers', reason_code: 16 };
  const shown = (routed: boolean) => (routed ? { id: newMessageId() } : noSubscribers);
  app.post('/publish', async (c) => {
    const message = toMessage(messageSchema.parse(await c.req.json()), maxPacketBytes);
    if ('reason_code' in message) return c.json(message, 400);
    const routed = await publish(message);
    return c.json(shown(routed), routed ? 200 : 202);
  });
  app.post('/publish/bulk', async (c) => {
    const given = z.array(messageSchema).parse(await c.req.json());
    if (given.length === 0) return c.json({ code: 'INTERNAL_ERROR', message: 'empty_batch' }, 500);
    const messages: ApiMessage[] = [];
    for (const one of given) {
      const message = toMessage(one, maxPacketBytes);
      if ('reason_code' in message) return c.json(message, 400);
      messages.push(message);
    }
    const routed = await Promise.all(messages.map(publish));
    return c.json(routed.map(shown), routed.every(Boolean) ? 200 : 202);
  });
}

/** The message, or why EMQX would not publish it. */
function toMessage(
  { topic, payload: text, payload_encoding, qos, retain, properties }: z.output<typeof messageSchema>,
  maxPacketBytes: number,
): ApiMessage | { reason_code: number; message: string } {
  if (topic === '' || /[+#\0]/.test(topic)) return { reason_code: 144, message: 'topic_name_invalid' };
  if (payload_encoding === 'base64' && !/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(text))
    return { reason_code: 131, message: `decode_base64_payload_failed: ${text}` };
  const payload = Buffer.from(text, payload_encoding === 'base64' ? 'base64' : 'utf8');
  if (payload.length > maxPacketBytes) return { reason_code: 151, message: 'packet_too_large' };
  const expiry = properties?.message_expiry_interval;
  const expires = expiry === undefined ? {} : { messageExpiry: Date.now() + expiry * 1_000 };
  return { topic, payload, qos, retain: String(retain) === 'true', ...expires };
}
