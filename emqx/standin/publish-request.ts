/** What `POST /publish` accepts, checked in EMQX's order: first the shape of the whole request, then each message. */
export interface ApiMessage {
  topic: string;
  payload: Buffer;
  qos: 0 | 1 | 2;
  retain: boolean;
  messageExpirySeconds?: number;
}
export type Refusal = { code: 'BAD_REQUEST'; message: string } | { reason_code: number; message: string };

/** EMQX's max_packet_size unless its configuration says otherwise. */
const maxPacketBytes = 1024 * 1024;
type Shape = Record<string, RegExp | 'text' | 'anything'>;
const shape: Shape = {
  topic: 'text',
  payload: 'text',
  payload_encoding: /^(plain|base64)$/,
  qos: /^[012]$/,
  retain: /^(true|false)$/,
  properties: 'anything',
  clientid: 'anything',
};
const propertyShape: Shape = {
  payload_format_indicator: 'anything',
  message_expiry_interval: /^\d+$/,
  response_topic: 'anything',
  correlation_data: 'anything',
  user_properties: 'anything',
  content_type: 'anything',
};

/** Problems of the shape; empty when the message can be read. */
export function problemsOf(body: unknown, path: string): object[] {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return [{ kind: 'validation_error', path, reason: 'bad_value_for_struct' }];
  const { properties, topic, payload } = body as Record<string, unknown>;
  return [
    // Missing is wrong too.
    ...misfits({ topic, payload, ...body }, shape, path),
    ...misfits(properties ?? {}, propertyShape, `${path}.properties`),
  ];
}

function misfits(values: object, shapes: Shape, path: string): object[] {
  return Object.entries(values).flatMap(([name, value]) => {
    const wanted = Object.hasOwn(shapes, name) ? shapes[name] : undefined;
    const fits =
      wanted instanceof RegExp ? wanted.test(String(value)) : wanted !== 'text' || typeof value === 'string';
    if (wanted && fits) return [];
    return [
      { kind: 'validation_error', path: `${path}.${name}`, reason: wanted ? 'bad_value' : 'unknown_fields' },
    ];
  });
}

/** The message of a body without problems. */
export function readMessage(body: Record<string, unknown>): ApiMessage | Refusal {
  const topic = String(body.topic);
  if (topic === '' || /[+#\0]/.test(topic)) return { reason_code: 144, message: 'topic_name_invalid' };
  const text = String(body.payload);
  let payload = Buffer.from(text);
  if (body.payload_encoding === 'base64') {
    if (!/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(text))
      return { reason_code: 131, message: `{decode_base64_payload_failed,<<${JSON.stringify(text)}>>}` };
    payload = Buffer.from(text, 'base64');
  }
  if (payload.length > maxPacketBytes) return { reason_code: 151, message: 'packet_too_large' };
  const expiry = (body.properties as Record<string, unknown> | undefined)?.message_expiry_interval;
  return {
    topic,
    payload,
    qos: Number(body.qos ?? 0) as 0 | 1 | 2,
    retain: String(body.retain ?? false) === 'true',
    ...(expiry === undefined ? {} : { messageExpirySeconds: Number(expiry) }),
  };
}
