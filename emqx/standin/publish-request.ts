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
const fields = new Set(['topic', 'payload', 'payload_encoding', 'qos', 'retain', 'properties', 'clientid']);
const properties = new Set([
  'payload_format_indicator',
  'message_expiry_interval',
  'response_topic',
  'correlation_data',
  'user_properties',
  'content_type',
]);

/** Problems of the shape, in EMQX's words; empty when the message can be read. */
export function problemsOf(body: unknown, path: string): object[] {
  const problem = (reason: unknown, at: string, value?: unknown) => ({
    kind: 'validation_error',
    path: at,
    reason,
    value,
  });
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return [problem('bad_value_for_struct', path, body)];
  const message = body as Record<string, unknown>;
  const found: object[] = [];
  for (const name of ['topic', 'payload']) {
    if (message[name] === undefined) found.push(problem('required_field', `${path}.${name}`));
    else if (typeof message[name] !== 'string')
      found.push(problem({ expected: 'binary()' }, `${path}.${name}`, message[name]));
  }
  if (
    message.payload_encoding !== undefined &&
    !['plain', 'base64'].includes(String(message.payload_encoding))
  )
    found.push(problem('not_a_enum_symbol', `${path}.payload_encoding`, message.payload_encoding));
  if (message.qos !== undefined && !['0', '1', '2'].includes(String(message.qos)))
    found.push(problem('Unable to parse string', `${path}.qos`, message.qos));
  if (message.retain !== undefined && !['true', 'false'].includes(String(message.retain)))
    found.push(problem('Unable to parse boolean value', `${path}.retain`, message.retain));
  for (const name of Object.keys(message))
    if (!fields.has(name)) found.push({ ...problem('unknown_fields', path), unknown: name });
  const given = (message.properties ?? {}) as Record<string, unknown>;
  for (const name of Object.keys(given))
    if (!properties.has(name))
      found.push({ ...problem('unknown_fields', `${path}.properties`), unknown: name });
  const expiry = given.message_expiry_interval;
  if (expiry !== undefined && !/^\d+$/.test(String(expiry)))
    found.push(
      problem('Unable to parse integer value', `${path}.properties.message_expiry_interval`, expiry),
    );
  return found;
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
