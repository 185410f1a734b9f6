/** `/clients`: the columns of EMQX that mean something here. */
import { type ApiParts, badRequest, notFound, pageOf, type Reply, type Route } from './api-route.ts';
import type { Session } from './sessions.ts';

export function clientRoutes(parts: ApiParts): Route[] {
  const known = (does: (session: Session) => Reply | Promise<Reply>): Route[1] => {
    return ({ params }) => {
      const session = parts.sessions.get(params[0]!);
      return session ? does(session) : notFound('Client ID not found', 'CLIENTID_NOT_FOUND');
    };
  };
  const kick = async ({ clientid }: { clientid: string }) => {
    await parts.kick(clientid);
    return { status: 204 };
  };
  return [
    ['GET /clients', ({ query }) => listClients(parts, query)],
    ['GET /clients/:id', known((session) => ({ status: 200, body: showClient(session, parts) }))],
    ['DELETE /clients/:id', known(kick)],
    [
      'POST /clients/kickout/bulk',
      async ({ body }) => {
        if (!Array.isArray(body)) return badRequest('a list of client ids is needed');
        for (const clientid of body) await kick({ clientid: String(clientid) });
        return { status: 204 };
      },
    ],
    [
      'GET /clients/:id/subscriptions',
      known((session) => ({ status: 200, body: showSubscriptions(session) })),
    ],
  ];
}

function showSubscriptions({ clientid, subscriptions }: Session) {
  const of = { clientid, durable: false, nl: 0, node: 'emqx@127.0.0.1', rap: 0, rh: 0 };
  return [...subscriptions].map(([topic, qos]) => ({ ...of, topic, qos }));
}

function showClient(session: Session, { queued }: ApiParts): Record<string, unknown> {
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

function listClients(parts: ApiParts, query: URLSearchParams): Reply {
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
  const reply = pageOf(query, found, exactly.size > 0 ? { count: found.length } : {});
  if (reply.status !== 200) return reply;
  const fields = query.get('fields')?.split(',');
  const body = reply.body as { data: Session[] };
  const data = body.data.map((session) => {
    const all = showClient(session, parts);
    return fields && fields[0] !== 'all' ? Object.fromEntries(fields.map((name) => [name, all[name]])) : all;
  });
  return { status: 200, body: { ...body, data } };
}
