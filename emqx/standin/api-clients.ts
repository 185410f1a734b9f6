/** `GET /clients`: the columns of EMQX that mean something here. */
import { type ApiParts, badRequest, type Reply } from './http-api.ts';
import type { Session } from './sessions.ts';

type Parts = Pick<ApiParts, 'sessions' | 'queued'>;

export function showClient(session: Session, { queued }: Pick<Parts, 'queued'>): Record<string, unknown> {
  return {
    clientid: session.clientid,
    username: null,
    node: 'emqx@127.0.0.1',
    listener: 'ssl:default',
    mountpoint: session.prefix,
    connected: session.connected,
    connected_at: new Date(session.connectedAt).toISOString(),
    ...(session.disconnectedAt === null
      ? {}
      : { disconnected_at: new Date(session.disconnectedAt).toISOString() }),
    ip_address: session.peer.host,
    port: session.peer.port,
    proto_name: 'MQTT',
    proto_ver: session.protocolVersion,
    keepalive: session.keepalive,
    clean_start: !session.persistent,
    is_persistent: session.persistent,
    client_attrs: session.attrs,
    subscriptions_cnt: session.subscriptions.size,
    mqueue_len: session.connected ? 0 : queued(session.clientid),
    mqueue_max: 1000,
  };
}

export function listClients(parts: Parts, query: URLSearchParams): Reply {
  const page = Number(query.get('page') ?? 1);
  const limit = Number(query.get('limit') ?? 100);
  if (!Number.isInteger(page) || page < 1) return badRequest({ kind: 'validation_error', path: 'page' });
  if (!Number.isInteger(limit) || limit < 1 || limit > 10_000)
    return badRequest({ kind: 'validation_error', path: 'limit', reason: { expected: '1..10000' } });
  const state = query.get('conn_state');
  if (state !== null && !['connected', 'disconnected', 'idle'].includes(state))
    return badRequest({ kind: 'validation_error', path: 'conn_state', value: state });
  const like = query.get('like_clientid');
  const exactly = new Set(query.getAll('clientid'));
  const found = [...parts.sessions.all()].filter(
    ({ clientid, connected }) =>
      (like === null || clientid.includes(like)) &&
      (exactly.size === 0 || exactly.has(clientid)) &&
      (state === null || (state === 'connected' ? connected : state === 'disconnected' && !connected)),
  );
  const fields = query.get('fields')?.split(',');
  const data = found.slice((page - 1) * limit, page * limit).map((session) => {
    const all = showClient(session, parts);
    return fields && fields[0] !== 'all' ? Object.fromEntries(fields.map((name) => [name, all[name]])) : all;
  });
  const count = exactly.size > 0 ? { count: found.length } : {};
  return {
    status: 200,
    body: { data, meta: { ...count, hasnext: found.length > page * limit, limit, page } },
  };
}
