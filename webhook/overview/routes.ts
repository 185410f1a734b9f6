import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from '../context.ts';
import { haltReasons } from '../deployments/rollout.ts';
import type { Reach } from '../devices/reach.ts';
import { access, answer, createRouter, problems } from '../http.ts';
import { shareEach } from '../shared.ts';
import { attentionDays, figureDays, type Overview, read } from './overview.ts';

const n = z.int();
const deployment = { id: z.uuid(), firmware: z.string(), version: z.string() };
const overviewSchema = z
  .object({
    days: z.object({ figures: n, attention: n }),
    devices: z.object({
      total: n,
      online: n,
      sleeping: n,
      neverSeen: n,
      failing: n,
      degraded: n,
      drifted: n,
    }),
    versions: z.object({
      items: z.array(
        z.object({
          component: z.string(),
          version: z.string(),
          sha256: z.string(),
          devices: n,
          firmware: z.uuid().nullable(),
        }),
      ),
      others: n,
      unreported: n,
    }),
    updates: z.object({
      ended: n,
      succeeded: n,
      meanDownloadMs: z.number().nullable(),
      interrupted: n,
      resumed: n,
      rolledBack: n,
      lost: n,
    }),
    certificates: z.object({ within30Days: n, within14Days: n, within3Days: n, expired: n }),
    deadLetters: z.object({ total: n, latestAt: z.string().nullable() }),
    deployments: z.object({ running: n, scheduled: n, paused: n, halted: n, waiting: n }),
    waiting: z.array(z.object({ ...deployment, author: z.string(), since: z.string() })),
    halted: z.array(
      z.object({
        ...deployment,
        reason: z.enum(haltReasons).nullable(),
        at: z.string().nullable(),
        waiting: n,
      }),
    ),
    failing: z.array(z.object({ ...deployment, devices: n })),
  } satisfies Record<keyof Overview | 'days', z.ZodType>)
  .openapi('Overview');

const overview = createRoute({
  method: 'get',
  path: '/api/overview',
  ...access('viewer', 'devices'),
  summary: 'The fleet by version, how updates went, and what needs attention',
  responses: { 200: answer('Figures over `days.figures` days', overviewSchema), ...problems },
});

/** However many look and however much goes on, it takes a fifth of one connection at most. */
const restMs = (tookMs: number) => 4 * tookMs;

export function overviewRoutes({ db }: Context) {
  const look = shareEach(
    ({ key }: Reach) => key,
    (reach) => read(db, reach),
    restMs,
  );
  return createRouter().openapi(overview, async (c) =>
    c.json({ days: { figures: figureDays, attention: attentionDays }, ...(await look(c.get('reach'))) }, 200),
  );
}
