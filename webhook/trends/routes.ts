import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from '../context.ts';
import type { Reach } from '../devices/reach.ts';
import { access, answer, createRouter, problems } from '../http.ts';
import { shareEach } from '../shared.ts';
import { momentsOf, readTrends, trendDays } from './trends.ts';

const n = z.int();
const counts = z.record(z.string(), n);

const moments = createRoute({
  method: 'get',
  path: '/api/deployments/{id}/moments',
  ...access('viewer', 'devices'),
  summary: 'How many devices were in which state, whenever that had changed; the oldest first',
  request: { params: z.object({ id: z.uuid() }) },
  responses: { 200: answer('The moments', z.array(z.object({ at: z.string(), counts }))), ...problems },
});
const trends = createRoute({
  method: 'get',
  path: '/api/trends',
  ...access('viewer', 'devices'),
  summary: `The fleet over ${trendDays} days: hour by hour, and the updates of each day`,
  responses: {
    200: answer(
      'The trends',
      z.object({
        from: z.string(),
        to: z.string(),
        hours: z.array(z.object({ at: z.string(), total: n, online: n, versions: counts })),
        updates: z.array(z.object({ day: z.string(), ended: n, succeeded: n })),
        /** Updates that were offered a patch or a compressed image, by the day on which their deployment was made. */
        patches: z.array(z.object({ day: z.string(), applied: n, fellBack: n, savedBytes: n })),
      }),
    ),
    ...problems,
  },
});

/** However many look, it takes a fifth of one connection at most. */
const restMs = (tookMs: number) => 4 * tookMs;

export function trendRoutes({ db }: Context) {
  const look = shareEach(
    ({ key }: Reach) => key,
    (reach) => readTrends(db, reach),
    restMs,
  );
  return createRouter()
    .openapi(moments, async (c) => c.json(await momentsOf(db, c.get('reach'), c.req.valid('param').id), 200))
    .openapi(trends, async (c) => c.json(await look(c.get('reach')), 200));
}
