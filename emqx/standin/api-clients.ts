/** `/clients`, with the columns of EMQX that mean something here, and `/banned`, by client id only. */
import type { Hono } from 'hono';
import { z } from 'zod';
import { ApiError, node, pageOf } from './api-answers.ts';
import type { Session, Sessions } from './sessions.ts';

export interface Clients {
  sessions: Sessions;
  /** Client ids that may not connect, and until when (ms). */
  bans: Map<string, number>;
  /** Messages that wait for an offline session. */
  queued(clientid: string): number;
  kick(clientid: string): Promise<void>;
}

const banSchema = z.object({
  as: z.literal('clientid', { error: 'the stand-in does not support bans but by clientid' }),
  who: z.string(),
  reason: z.string().default(''),
  /** RFC 3339, or seconds since 1970. */
  until: z.union([z.string(), z.number()]).default('infinity'),
});

export function routeClients(app: Hono, { sessions, bans, queued, kick }: Clients): void {
  const find = (id: string): Session => {
    const session = sessions.get(id);
    if (!session) throw new ApiError(404, 'CLIENTID_NOT_FOUND', 'Client ID not found');
    return session;
  };
  app.get('/clients', (c) => {
    const state = z.enum(['connected', 'disconnected']).optional().parse(c.req.query('conn_state'));
    const ids = c.req.queries('clientid');
    const found = [...sessions.all()].filter(
      ({ clientid, connected }) =>
        (!state || connected === (state === 'connected')) && (!ids || ids.includes(clientid)),
    );
    const { data, meta } = pageOf(c.req.query(), found, ['conn_state', 'clientid', 'fields']);
    const fields = c.req.query('fields')?.split(',');
    const shown = data
      .map((session) => Object.entries(showClient(session, queued)))
      .map((all) => Object.fromEntries(all.filter(([name]) => !fields || fields.includes(name))));
    return c.json({ data: shown, meta: ids ? { ...meta, count: found.length } : meta });
  });
  app.get('/clients/:id', (c) => c.json(showClient(find(c.req.param('id')), queued)));
  app.delete('/clients/:id', async (c) => {
    await kick(find(c.req.param('id')).clientid);
    return c.body(null, 204);
  });
  app.post('/banned', async (c) => {
    const { until, ...asked } = banSchema.parse(await c.req.json());
    const ms = typeof until === 'number' ? until * 1_000 : Date.parse(until);
    const untilMs = until === 'infinity' ? Number.POSITIVE_INFINITY : ms;
    if (!(untilMs > Date.now()))
      throw new ApiError(400, 'BAD_REQUEST', `cannot create expired banned, ${until}`);
    if ((bans.get(asked.who) ?? 0) > Date.now())
      throw new ApiError(400, 'ALREADY_EXISTS', `${asked.who} is banned`);
    bans.set(asked.who, untilMs);
    await kick(asked.who);
    const shown = until === 'infinity' ? until : rfc3339(ms);
    return c.json({ ...asked, by: 'mgmt_api', at: rfc3339(Date.now()), until: shown });
  });
  app.delete('/banned/clientid/:who', (c) => {
    const who = c.req.param('who');
    if (!bans.delete(who)) throw new ApiError(404, 'NOT_FOUND', `clientid: ${who} not found`);
    return c.body(null, 204);
  });
}

function showClient(session: Session, queued: Clients['queued']) {
  const { clientid, connected, connectedAt, disconnectedAt, keepalive, persistent } = session;
  return {
    ...{ clientid, username: null, node, listener: 'ssl:default', connected, keepalive },
    mountpoint: session.prefix,
    connected_at: new Date(connectedAt).toISOString(),
    ...(disconnectedAt !== null && { disconnected_at: new Date(disconnectedAt).toISOString() }),
    ...{ ip_address: session.peer.host, port: session.peer.port },
    ...{ proto_name: 'MQTT', proto_ver: session.protocolVersion, client_attrs: session.attrs },
    ...{ clean_start: !persistent, is_persistent: persistent },
    subscriptions_cnt: session.subscriptions.size,
    ...{ mqueue_len: connected ? 0 : queued(clientid), mqueue_max: 1000 },
  };
}

function rfc3339(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}+00:00`;
}
