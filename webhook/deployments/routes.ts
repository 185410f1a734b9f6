import { createRoute, z } from '@hono/zod-openapi';
import { deviceIdSchema } from '#emqx/protocol.ts';
import type { Context } from '../context.ts';
import {
  type AppEnv,
  access,
  answer,
  createRouter,
  ifMatch,
  jsonBody,
  page,
  paging,
  problems,
} from '../http.ts';
import { calendarSchema, readCalendar, spanSchema } from './calendar.ts';
import * as deployments from './deployments.ts';
import { desiredSchema, readDesired } from './desired.ts';
import { dryRun as runDry } from './dry-run.ts';
import { listJudgements } from './health/judgements.ts';
import { judgementSchema } from './health/schema.ts';
import { readPatchFigures } from './patching.ts';
import { findPrevious } from './previous.ts';
import {
  deploymentSchema,
  dryRunSchema,
  overrideReason,
  patchFiguresSchema,
  startSchema,
  targetSchema,
} from './schema.ts';
import { targetStates } from './states.ts';
import * as targetList from './target-list.ts';
import { dryRunUndo, undo as startUndo } from './undo.ts';
import { undoDryRunSchema, undoneSchema, undoRequestSchema } from './undo-schema.ts';
import * as views from './views.ts';

const id = z.object({ id: z.uuid() });

const dryRun = createRoute({
  method: 'post',
  path: '/api/deployments/dry_run',
  ...access('operator', 'devices'),
  summary: 'Who would get it, who not and why; nothing is sent',
  request: jsonBody(startSchema),
  responses: { 200: answer('The outcome', dryRunSchema), ...problems },
});
const start = createRoute({
  method: 'post',
  path: '/api/deployments',
  ...access('operator', 'devices'),
  summary: 'Deploy a firmware',
  request: jsonBody(startSchema),
  responses: { 201: answer('The deployment', deploymentSchema), ...problems },
});
const list = createRoute({
  method: 'get',
  path: '/api/deployments',
  ...access('viewer', 'devices'),
  summary: 'Deployments, newest first',
  request: { query: paging },
  responses: { 200: answer('A page', page(deploymentSchema)), ...problems },
});
const get = createRoute({
  method: 'get',
  path: '/api/deployments/{id}',
  ...access('viewer', 'devices'),
  summary: 'One deployment',
  request: { params: id },
  responses: { 200: answer('The deployment', deploymentSchema), ...problems },
});
const listTargets = createRoute({
  method: 'get',
  path: '/api/deployments/{id}/targets',
  ...access('viewer', 'devices'),
  summary: 'Its devices, those that need attention first',
  request: { params: id, query: paging.extend({ state: z.enum(targetStates).optional() }) },
  responses: { 200: answer('A page', page(targetSchema)), ...problems },
});
const listEvents = createRoute({
  method: 'get',
  path: '/api/deployments/{id}/targets/{device}/events',
  ...access('viewer', 'devices'),
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
const previous = createRoute({
  method: 'get',
  path: '/api/deployments/{id}/previous',
  ...access('viewer', 'devices'),
  summary: 'What its devices had before, and which of them run its image now: what to put back where',
  request: { params: id },
  responses: {
    200: answer(
      'The firmware, null when none is known; at most 10,000 devices are named',
      z.object({
        firmware: z.object({ id: z.uuid(), name: z.string(), version: z.string() }).nullable(),
        devices: z.array(z.string()),
        total: z.int(),
      }),
    ),
    ...problems,
  },
});
const health = createRoute({
  method: 'get',
  path: '/api/deployments/{id}/health',
  ...access('viewer', 'devices'),
  summary:
    'How its devices fare against the control group: each signal at the end of each window, oldest first',
  request: { params: id },
  responses: {
    200: answer(
      'At most a thousand windows of each signal, evenly spread over time',
      z.array(judgementSchema),
    ),
    ...problems,
  },
});
const patchFigures = createRoute({
  method: 'get',
  path: '/api/deployments/{id}/patches',
  ...access('viewer', 'devices'),
  summary:
    'How many devices were updated by patch, how many took the whole image instead and why, and what was saved',
  request: { params: id },
  responses: { 200: answer('As devices have told it', patchFiguresSchema), ...problems },
});
const undoDryRun = createRoute({
  method: 'get',
  path: '/api/deployments/{id}/undo',
  ...access('operator', 'devices'),
  summary: 'Who would boot the previous image, who cannot and why; nothing is sent',
  request: { params: id },
  responses: { 200: answer('The outcome', undoDryRunSchema), ...problems },
});
const undo = createRoute({
  method: 'post',
  path: '/api/deployments/{id}/undo',
  ...access('operator', 'devices'),
  ...ifMatch,
  summary:
    'Undo: stop it, and have every device that it updated boot its previous image, which is in its other slot',
  request: { params: id, ...jsonBody(undoRequestSchema) },
  responses: { 201: answer('The undo, and the deployment for the others', undoneSchema), ...problems },
});
const operation = <P extends string>(path: P, summary: string) =>
  createRoute({
    method: 'post',
    path,
    ...access('operator', 'devices'),
    ...ifMatch,
    summary,
    request: { params: id },
    responses: { 202: answer('The deployment', deploymentSchema), ...problems },
  });
const cancel = operation(
  '/api/deployments/{id}/cancel',
  'Stop: nothing more is dispatched, devices under way are told to stop',
);
const pause = operation('/api/deployments/{id}/pause', 'Start nothing more until it is resumed');
const resume = operation(
  '/api/deployments/{id}/resume',
  'Go on, also after a halt: what made it halt is forgiven',
);
const retryFailed = operation(
  '/api/deployments/{id}/retry_failed',
  'New attempts for what failed, timed out or rolled back; a completed deployment runs again',
);

const desired = createRoute({
  method: 'get',
  path: '/api/groups/{id}/versions',
  ...access('viewer', 'fleet'),
  summary: 'Which version the devices of a group should run, how many attest it, and how many have drifted',
  request: { params: z.object({ id: z.uuid() }) },
  responses: { 200: answer('By hardware, channel and version', desiredSchema), ...problems },
});
const calendar = createRoute({
  method: 'get',
  path: '/api/calendar',
  ...access('viewer', 'devices'),
  summary: 'Deployments and freezes of up to 62 days',
  request: { query: spanSchema },
  responses: { 200: answer('What has a moment in common with them', calendarSchema), ...problems },
});
const overrideFreeze = createRoute({
  method: 'post',
  path: '/api/deployments/{id}/override_freeze',
  ...access('operator', 'devices'),
  ...ifMatch,
  summary: 'Start devices in freezes, too; the audit log keeps the reason',
  request: { params: id, ...jsonBody(z.object({ reason: overrideReason })) },
  responses: { 202: answer('The deployment', deploymentSchema), ...problems },
});

export function deploymentRoutes(context: Context) {
  const router = createRouter();
  const { db } = context;
  const operate = async (
    event: deployments.OperatorEvent,
    id: string,
    { caller, reach, expected }: AppEnv['Variables'],
  ) => views.present(await deployments.operate(context, reach, id, event, caller.name, expected));
  return router
    .openapi(dryRun, async (c) => c.json(await runDry(context, c.get('reach'), c.req.valid('json')), 200))
    .openapi(start, async (c) => {
      const deployment = await deployments.start(
        context,
        c.get('reach'),
        c.req.valid('json'),
        c.get('caller').name,
        { authorId: c.get('caller').userId },
      );
      return c.json(views.present(deployment), 201);
    })
    .openapi(list, async (c) => {
      const { items, ...rest } = await views.list(db, c.get('reach'), c.req.valid('query'));
      return c.json({ items: items.map(views.present), ...rest }, 200);
    })
    .openapi(get, async (c) =>
      c.json(views.present(await views.get(db, c.get('reach'), c.req.valid('param').id)), 200),
    )
    .openapi(previous, async (c) =>
      c.json(await findPrevious(db, c.get('reach'), c.req.valid('param').id), 200),
    )
    .openapi(health, async (c) =>
      c.json(await listJudgements(db, c.get('reach'), c.req.valid('param').id), 200),
    )
    .openapi(undoDryRun, async (c) =>
      c.json(await dryRunUndo(db, c.get('reach'), c.req.valid('param').id), 200),
    )
    .openapi(patchFigures, async (c) =>
      c.json(await readPatchFigures(db, c.get('reach'), c.req.valid('param').id), 200),
    )
    .openapi(undo, async (c) => {
      const { id: deployment } = c.req.valid('param');
      const done = await startUndo(
        context,
        c.get('reach'),
        deployment,
        c.req.valid('json'),
        c.get('caller').name,
        c.get('expected'),
      );
      return c.json(
        { undo: views.present(done.undo), others: done.others && views.present(done.others) },
        201,
      );
    })
    .openapi(listTargets, async (c) =>
      c.json(await targetList.list(db, c.get('reach'), c.req.valid('param').id, c.req.valid('query')), 200),
    )
    .openapi(listEvents, async (c) => {
      const { id: deployment, device } = c.req.valid('param');
      return c.json(await targetList.readTimeline(db, c.get('reach'), deployment, device), 200);
    })
    .openapi(cancel, async (c) => c.json(await operate('cancel', c.req.valid('param').id, c.var), 202))
    .openapi(pause, async (c) => c.json(await operate('pause', c.req.valid('param').id, c.var), 202))
    .openapi(resume, async (c) => c.json(await operate('resume', c.req.valid('param').id, c.var), 202))
    .openapi(desired, async (c) => c.json(await readDesired(db, c.req.valid('param').id), 200))
    .openapi(calendar, async (c) => c.json(await readCalendar(db, c.get('reach'), c.req.valid('query')), 200))
    .openapi(overrideFreeze, async (c) => {
      const { id } = c.req.valid('param');
      const { reason } = c.req.valid('json');
      const deployment = await deployments.overrideFreeze(
        context,
        c.get('reach'),
        id,
        reason,
        c.get('caller'),
        c.get('expected'),
      );
      return c.json(views.present(deployment), 202);
    })
    .openapi(retryFailed, async (c) =>
      c.json(await operate('retry_failed', c.req.valid('param').id, c.var), 202),
    );
}
