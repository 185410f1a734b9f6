/** `/clients`, with the columns of EMQX that the product asks for, and `/banned`, by client id only and until it is lifted. */
import type { Hono } from 'hono';
import { z } from 'zod';
import { ApiError, known, pageOf, paging } from './api-answers.ts';
import type { Sessions } from './sessions.ts';

export interface Clients {
  sessions: Sessions;
  /** Client ids that may not connect. */
  bans: Set<string>;
  kick(clientid: string): Promise<void>;
}

const columns = 'clientid,connected,connected_at';
const querySchema = known({
  ...paging,
  conn_state: z.enum(['connected', 'disconnected']).optional(),
  clientid: z.string().optional(),
  fields: z.literal(columns, { error: `the stand-in does not support fields but ${columns}` }).optional(),
});
const banSchema = known({
  as: z.literal('clientid', { error: 'the stand-in does not support bans but by clientid' }),
  who: z.string(),
  reason: z.string().default(''),
});

export function routeClients(app: Hono, { sessions, bans, kick }: Clients): void {
  app.get('/clients', (c) => {
    const { conn_state: state, ...page } = querySchema.parse(c.req.query());
    const ids = c.req.queries('clientid');
    const found = [...sessions.all()].filter(
      ({ clientid, connected }) =>
        (!state || connected === (state === 'connected')) && (!ids || ids.includes(clientid)),
    );
    const shown = found.map(({ clientid, connected, connectedAt }) => ({
      ...{ clientid, connected, connected_at: new Date(connectedAt).toISOString() },
    }));
    return c.json(pageOf(page, shown));
  });
  app.delete('/clients/:id', async (c) => {
    const id = c.req.param('id');
    if (!sessions.get(id)) throw new ApiError(404, 'CLIENTID_NOT_FOUND', 'Client ID not found');
    await kick(id);
    return c.body(null, 204);
  });
  app.post('/banned', async (c) => {
    const ban = banSchema.parse(await c.req.json());
    if (bans.has(ban.who)) throw new ApiError(400, 'ALREADY_EXISTS', `${ban.who} is banned`);
    bans.add(ban.who);
    await kick(ban.who);
    return c.json({ ...ban, by: 'mgmt_api', at: new Date().toISOString(), until: 'infinity' });
  });
  app.delete('/banned/clientid/:who', (c) => {
    const who = c.req.param('who');
    if (!bans.delete(who)) throw new ApiError(404, 'NOT_FOUND', `clientid: ${who} not found`);
    return c.body(null, 204);
  });
}
