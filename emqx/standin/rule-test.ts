/** `POST /rule_test`: a statement over a made-up event. Columns that the context lacks are filled in, as on the broker. */
import { z } from 'zod';
import { encodeJson, fromJs, newRow, type Row } from '../json.ts';
import { parseSql } from '../sql.ts';
import { EvaluationError } from './compare.ts';
import { evaluate, selectsFrom } from './evaluate.ts';

const text = z.string();
const integer = z.int();
const anything = z.unknown();
const message = {
  ...{ clientid: text, username: text, peerhost: text, topic: text },
  ...{ payload: anything, qos: integer, publish_received_at: integer },
};
const client = { clientid: text, username: text, peername: text, sockname: text };
const connected = {
  ...{ mountpoint: text, proto_name: text, proto_ver: text, keepalive: integer, clean_start: z.boolean() },
  ...{ expiry_interval: integer, is_bridge: z.boolean(), connected_at: integer },
};
/** The fields that the broker takes in a context, though live events have more. */
export const contextFields: Record<string, Record<string, z.ZodType>> = {
  message_publish: { id: text, ...message },
  session_subscribed: message,
  client_connected: { ...client, ...connected },
  client_disconnected: { ...client, reason: text, disconnected_at: integer },
};

const requestSchema = z.object({ sql: z.string(), context: z.looseObject({ event_type: z.string() }) });

/** JSON of the row; null when the statement does not match. Throws ZodError, SqlError, EvaluationError. */
export function testRule(body: unknown): string | null {
  const { sql, context } = requestSchema.parse(body);
  const type = context.event_type;
  const fields = Object.hasOwn(contextFields, type) ? contextFields[type] : undefined;
  if (!fields) throw new EvaluationError(`the stand-in does not support the event ${type}`);
  z.strictObject({ event_type: anything, event: anything, ...fields })
    .partial()
    .parse(context);
  const statement = parseSql(sql);
  const event = newRow({ ...filledIn(type), ...newRow(fromJs(context) as Row) });
  const topic = type === 'message_publish' ? String(event.topic) : `$events/${type}`;
  const row = selectsFrom(statement, topic) ? evaluate(statement, event) : null;
  return row && encodeJson(row);
}

function filledIn(type: string): Record<string, unknown> {
  const now = BigInt(Date.now());
  const common = {
    ...{ event: type.replace('_', '.'), clientid: 'c_emqx', username: 'u_emqx', peerhost: '127.0.0.1' },
    ...{ peername: '192.168.0.10:32781', timestamp: now, node: 'emqx@127.0.0.1' },
    ...{ client_attrs: newRow({ test: 'example' }), metadata: newRow({ rule_id: 'sql_tester' }) },
  };
  if (type === 'client_connected') return { ...common, connected_at: now };
  if (type === 'client_disconnected')
    return { ...common, connected_at: now, disconnected_at: now, reason: 'normal' };
  if (type === 'session_subscribed') return { ...common, topic: 't/a', qos: 1n };
  return {
    ...{ ...common, id: '0006000000000000F445000000010000', topic: 't/a', qos: 1n, flags: newRow() },
    ...{ payload: '{"msg": "hello"}', publish_received_at: now, pub_props: fromJs(properties) },
  };
}

const properties = {
  'Message-Expiry-Interval': 30,
  'Payload-Format-Indicator': 0,
  'User-Property': { foo: 'bar' },
  'User-Property-Pairs': [{ key: 'foo' }, { value: 'bar' }],
};
