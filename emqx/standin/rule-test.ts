/** `POST /rule_test`: a statement over a made-up event. Columns that the context lacks are filled in, as on the broker. */
import { badRequest, type Reply } from './api-route.ts';
import { encodeJson, fromJs, isRow, newRow, type Row } from './json.ts';
import { EvaluationError } from './sql/compare.ts';
import { evaluate, selectsFrom } from './sql/evaluate.ts';
import { SqlError } from './sql/lexer.ts';
import { parseSql } from './sql/parser.ts';

/** The fields that the broker takes in a context, though live events have more. */
const message = 'clientid username payload peerhost topic publish_received_at qos';
const delivery = `id from_clientid from_username ${message}`;
const client = 'clientid username peername sockname';
const session =
  'mountpoint proto_name proto_ver keepalive clean_start expiry_interval is_bridge connected_at';
/** `message_publish` is an event of topics; the others have a name of their own to select from. */
export const contextFields: Record<string, Set<string>> = Object.fromEntries(
  Object.entries({
    message_publish: `id ${message}`,
    message_delivered: delivery,
    message_acked: delivery,
    message_dropped: `id reason ${message}`,
    session_subscribed: message,
    session_unsubscribed: message,
    client_connected: `${client} ${session}`,
    client_disconnected: `${client} reason disconnected_at`,
  }).map(([event, fields]) => [event, new Set(['event_type', 'event', ...fields.split(' ')])]),
);

const properties = fromJs({
  'Message-Expiry-Interval': 30,
  'Payload-Format-Indicator': 0,
  'User-Property': { foo: 'bar' },
  'User-Property-Pairs': [{ key: 'foo' }, { value: 'bar' }],
});

export function testRule(body: unknown): Reply {
  const { sql, context } = (body ?? {}) as { sql?: unknown; context?: Record<string, unknown> };
  if (typeof sql !== 'string') return badRequest('Bad Arguments: rule_test.sql required_field');
  const type = String(context?.event_type);
  if (typeof context !== 'object' || context === null || !Object.hasOwn(contextFields, type))
    return badRequest('Bad Arguments: rule_test.context unknown event type');
  const unknown = Object.keys(context).find((name) => !contextFields[type]!.has(name));
  if (unknown) return badRequest(`Bad Arguments: rule_test.context unknown_fields ${unknown}`);
  try {
    const statement = parseSql(sql);
    const row = event(type, context);
    const rows = selectsFrom(statement, type === 'message_publish' ? String(row.topic) : `$events/${type}`)
      ? evaluate(statement, row)
      : null;
    if (!rows) return { status: 412, body: { code: 'NOT_MATCH', message: 'SQL Not Match' } };
    const text = encodeJson(statement.type === 'select' ? rows[0] : rows);
    return { status: 200, headers: { 'content-type': 'application/json' }, body: text };
  } catch (error) {
    if (error instanceof SqlError || error instanceof EvaluationError) return badRequest(error.message);
    throw error;
  }
}

function event(type: string, context: Record<string, unknown>): Row {
  const now = BigInt(Date.now());
  const common = {
    event: type.replace('_', '.'),
    clientid: 'c_emqx',
    username: 'u_emqx',
    peerhost: '127.0.0.1',
    peername: '192.168.0.10:32781',
    timestamp: now,
    node: 'emqx@127.0.0.1',
    client_attrs: Object.assign(newRow(), { test: 'example' }),
    metadata: Object.assign(newRow(), { rule_id: 'sql_tester' }),
  };
  const own = type.startsWith('message_')
    ? {
        id: '0006000000000000F445000000010000',
        topic: 't/a',
        payload: '{"msg": "hello"}',
        qos: 1n,
        flags: newRow(),
        pub_props: properties,
        publish_received_at: now,
      }
    : { topic: 't/a', qos: 1n, connected_at: now, disconnected_at: now, reason: 'normal' };
  const filled = Object.assign(newRow(), common, type.startsWith('client_') ? only(own, type) : own);
  const given = fromJs(context);
  return Object.assign(filled, isRow(given) ? given : {});
}

function only(own: Row, type: string): Row {
  const { connected_at, disconnected_at, reason } = own;
  return type === 'client_connected' ? { connected_at } : { connected_at, disconnected_at, reason };
}
