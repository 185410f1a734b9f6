import { createRoute, z } from '@hono/zod-openapi';
import { deviceIdSchema } from '#emqx/protocol.ts';
import { requireCaller } from '../auth/session.ts';
import type { Context } from '../context.ts';
import { access, answer, createRouter, jsonBody, page, paging, problems } from '../http.ts';
import * as deployments from './deployments.ts';
import { deploymentSchema, selectionSchema, targetSchema } from './schema.ts';
import { targetStates } from './states.ts';

const id = z.object({ id: z.uuid() });

const dryRun = createRoute({
  method: 'post',
  path: '/api/deployments/dry_run',
  ...access('operator'),
  summary: 'Who would get it, who not and why; nothing is sent',
  request: jsonBody(selectionSchema),
  responses: {
    200: answer(
      'The outcome',
      z.object({
        targets: z.int(),
        excluded: z.array(z.object({ device: z.string(), reason: z.string() })),
        egressBytes: z.int(),
      }),
    ),
    ...problems,
  },
});
const start = createRoute({
  method: 'post',
  path: '/api/deployments',
  ...access('operator'),
  summary: 'Deploy a firmware',
  request: jsonBody(selectionSchema),
  responses: { 201: answer('The deployment', deploymentSchema), ...problems },
});
const list = createRoute({
  method: 'get',
  path: '/api/deployments',
  ...access('viewer'),
  summary: 'Deployments, newest first',
  request: { query: paging },
  responses: { 200: answer('A page', page(deploymentSchema)), ...problems },
});
const get = createRoute({
  method: 'get',
  path: '/api/deployments/{id}',
  ...access('viewer'),
  summary: 'One deployment',
  request: { params: id },
  responses: { 200: answer('The deployment', deploymentSchema), ...problems },
});
const listTargets = createRoute({
  method: 'get',
  path: '/api/deployments/{id}/targets',
  ...access('viewer'),
  summary: 'Its devices, those that need attention first',
  request: { params: id, query: paging.extend({ state: z.enum(targetStates).optional() }) },
  responses: { 200: answer('A page', page(targetSchema)), ...problems },
});
const listEvents = createRoute({
  method: 'get',
  path: '/api/deployments/{id}/targets/{device}/events',
  ...access('viewer'),
  summary: "A device's timeline, oldest first",
  request: { params: id.extend({ device: deviceIdSchema }) },
  responses: {
    200: answer(
      'The timeline',
      z.array(
        z.object({ at: z.string(), event: z.string(), state: z.string(), detail: z.string().nullable() }),
      ),
    ),
    ...problems,
  },
});
const cancel = createRoute({
  method: 'post',
  path: '/api/deployments/{id}/cancel',
  ...access('operator'),
  summary: 'Stop: nothing more is dispatched, devices under way are told to stop',
  request: { params: id },
  responses: { 202: answer('The deployment', deploymentSchema), ...problems },
});

export function deploymentRoutes(context: Context) {
  const router = createRouter();
  router.use('/api/deployments', requireCaller(context));
  router.use('/api/deployments/*', requireCaller(context));
  const { db } = context;
  return router
    .openapi(dryRun, async (c) => c.json(await deployments.dryRun(db, c.req.valid('json')), 200))
    .openapi(start, async (c) => {
      const deployment = await deployments.start(context, c.req.valid('json'), c.get('caller').name);
      return c.json(deployments.present(deployment), 201);
    })
    .openapi(list, async (c) => {
      const { items, total } = await deployments.list(db, c.req.valid('query'));
      return c.json({ items: items.map(deployments.present), total }, 200);
    })
    .openapi(get, async (c) =>
      c.json(deployments.present(await deployments.get(db, c.req.valid('param').id)), 200),
    )
    .openapi(listTargets, async (c) =>
      c.json(await deployments.listTargets(db, c.req.valid('param').id, c.req.valid('query')), 200),
    )
    .openapi(listEvents, async (c) => {
      const { id: deployment, device } = c.req.valid('param');
      return c.json(await deployments.listTargetEvents(db, deployment, device), 200);
    })
    .openapi(cancel, async (c) => {
      const deployment = await deployments.cancel(context, c.req.valid('param').id, c.get('caller').name);
      return c.json(deployments.present(deployment), 202);
    });
}
