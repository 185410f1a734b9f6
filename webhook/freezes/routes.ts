import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from '../context.ts';
import { timeZoneSchema } from '../devices/time-zone.ts';
import { access, answer, createRouter, ifMatch, jsonBody, problems } from '../http.ts';
import * as freezes from './freezes.ts';
import { freezeSchema, presentFreeze } from './schema.ts';

const day = z.iso.date().refine((text) => /^(19|20)/.test(text), 'must be of this century');
const maxDays = 366;

const list = createRoute({
  method: 'get',
  path: '/api/freezes',
  ...access('viewer', 'everybody'),
  summary: 'Freezes that are not over, earliest first',
  responses: { 200: answer('All', z.array(freezeSchema)), ...problems },
});
const create = createRoute({
  method: 'post',
  path: '/api/freezes',
  ...access('admin', 'fleet'),
  summary: 'No update starts on these days, both included, by the wall clock of the time zone',
  request: jsonBody(
    z
      .object({
        name: z.string().trim().min(1).max(100),
        firstDay: day,
        lastDay: day,
        timeZone: timeZoneSchema.default('UTC'),
      })
      .refine((body) => body.firstDay <= body.lastDay, {
        path: ['lastDay'],
        message: 'must not be before the first day',
        params: { rule: 'day_order' },
      })
      .refine((body) => Date.parse(body.lastDay) - Date.parse(body.firstDay) < maxDays * 86_400_000, {
        path: ['lastDay'],
        message: `must be within ${maxDays} days`,
        params: { rule: 'day_span', values: { limit: maxDays } },
      }),
  ),
  responses: { 201: answer('The freeze', freezeSchema), ...problems },
});
const remove = createRoute({
  method: 'delete',
  path: '/api/freezes/{id}',
  ...access('admin', 'fleet'),
  ...ifMatch,
  summary: 'Delete a freeze: what waited for its end goes on',
  request: { params: z.object({ id: z.uuid() }) },
  responses: { 204: { description: 'Deleted' }, ...problems },
});

export function freezeRoutes(context: Context) {
  const { db } = context;
  const changed = (id: string) => {
    context.wake();
    context.live.changed('deployment', id);
  };
  return createRouter()
    .openapi(list, async (c) => {
      const rows = await freezes.list(db, Date.now(), Number.MAX_SAFE_INTEGER);
      return c.json(rows.map(presentFreeze), 200);
    })
    .openapi(create, async (c) => {
      const freeze = await freezes.create(db, c.req.valid('json'), c.get('caller').name);
      changed(freeze.id);
      return c.json(presentFreeze(freeze), 201);
    })
    .openapi(remove, async (c) => {
      const { id } = c.req.valid('param');
      await freezes.remove(db, id, c.get('caller').name, c.get('expected'));
      changed(id);
      return c.body(null, 204);
    });
}
