import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from '../context.ts';
import { chosenFields } from '../devices/chosen.ts';
import {
  type AppEnv,
  access,
  alwaysPaging,
  answer,
  createRouter,
  jsonBody,
  page,
  problems,
} from '../http.ts';
import { type ActName, acts } from './acts.ts';
import * as jobs from './jobs.ts';
import { actNames, jobFailures, jobStates } from './table.ts';

const id = z.object({ id: z.uuid() });
const jobSchema = z
  .object({
    id: z.uuid(),
    act: z.enum(actNames),
    /** As the act takes them. */
    args: z.record(z.string(), z.unknown()),
    /** By which its devices were chosen; null without one. */
    query: z.string().nullable(),
    state: z.enum(jobStates),
    total: z.int(),
    done: z.int(),
    failed: z.int(),
    createdBy: z.string(),
    createdAt: z.string(),
    finishedAt: z.string().nullable(),
  })
  .openapi('Job');
const made = { 202: answer('The job, which is done in the background', jobSchema), ...problems };

const starting = <N extends ActName>(name: N) => {
  const { isNothing } = acts[name];
  return createRoute({
    method: 'post',
    path: `/api/jobs/${name}` as const,
    ...access(acts[name].role, 'devices'),
    summary: acts[name].summary,
    description: 'Devices are chosen as for a deployment; those that match when it is asked for.',
    request: jsonBody(
      z
        .object({ ...chosenFields, ...acts[name].fields } as typeof chosenFields & (typeof acts)[N]['fields'])
        .refine((body) => !isNothing?.(body as never), 'must change something'),
    ),
    responses: made,
  });
};
const list = createRoute({
  method: 'get',
  path: '/api/jobs',
  ...access('viewer', 'devices'),
  summary: 'What was or is done to many devices, newest first',
  request: { query: alwaysPaging },
  responses: { 200: answer('A page', page(jobSchema)), ...problems },
});
const get = createRoute({
  method: 'get',
  path: '/api/jobs/{id}',
  ...access('viewer', 'devices'),
  summary: 'One job and how far it is',
  request: { params: id },
  responses: { 200: answer('The job', jobSchema), ...problems },
});
const listFailures = createRoute({
  method: 'get',
  path: '/api/jobs/{id}/failures',
  ...access('viewer', 'devices'),
  summary: 'Devices with which it was not done, by id',
  request: { params: id, query: alwaysPaging },
  responses: {
    200: answer('A page', page(z.object({ device: z.string(), error: z.enum(jobFailures) }))),
    ...problems,
  },
});
const cancel = createRoute({
  method: 'post',
  path: '/api/jobs/{id}/cancel',
  ...access('operator', 'devices'),
  summary: 'Stop it; what is done stays',
  request: { params: id },
  responses: { 200: answer('The job', jobSchema), ...problems },
});

export function jobRoutes(context: Context) {
  const { db } = context;
  const start = async (name: ActName, body: Body, { caller, reach }: AppEnv['Variables']) => {
    const { all, regions, divisions, devices, query, group, ...args } = body;
    const selection = { all, regions, divisions, devices, query, group };
    return present(await jobs.start(context, reach, name, args, selection, caller.name));
  };
  return createRouter()
    .openapi(starting('tag'), async (c) => c.json(await start('tag', c.req.valid('json'), c.var), 202))
    .openapi(starting('move'), async (c) => c.json(await start('move', c.req.valid('json'), c.var), 202))
    .openapi(starting('pin'), async (c) => c.json(await start('pin', c.req.valid('json'), c.var), 202))
    .openapi(starting('unpin'), async (c) => c.json(await start('unpin', c.req.valid('json'), c.var), 202))
    .openapi(starting('channel'), async (c) =>
      c.json(await start('channel', c.req.valid('json'), c.var), 202),
    )
    .openapi(starting('command'), async (c) =>
      c.json(await start('command', c.req.valid('json'), c.var), 202),
    )
    .openapi(starting('ban'), async (c) => c.json(await start('ban', c.req.valid('json'), c.var), 202))
    .openapi(list, async (c) => {
      const { items, ...rest } = await jobs.list(db, c.get('reach'), c.req.valid('query'));
      return c.json({ items: items.map(present), ...rest }, 200);
    })
    .openapi(get, async (c) =>
      c.json(present(await jobs.get(db, c.get('reach'), c.req.valid('param').id)), 200),
    )
    .openapi(listFailures, async (c) =>
      c.json(await jobs.listFailures(db, c.get('reach'), c.req.valid('param').id, c.req.valid('query')), 200),
    )
    .openapi(cancel, async (c) =>
      c.json(
        present(await jobs.cancel(context, c.get('reach'), c.req.valid('param').id, c.get('caller').name)),
        200,
      ),
    );
}

type Body = z.infer<z.ZodObject<typeof chosenFields>> & Record<string, unknown>;

function present({ selection, createdAt, finishedAt, ...rest }: jobs.Job) {
  return {
    ...rest,
    query: selection.query ?? null,
    createdAt: createdAt.toISOString(),
    finishedAt: finishedAt?.toISOString() ?? null,
  };
}
