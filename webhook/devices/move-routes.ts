import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from '../context.ts';
import { access, answer, createRouter, ifMatch, jsonBody, problems } from '../http.ts';
import { moveAll } from './moves.ts';

const request = {
  params: z.object({ id: z.uuid() }),
  ...jsonBody(z.object({ to: z.uuid().nullable() })),
};
const moved = answer('How many', z.object({ devices: z.int() }));

const moveOutOfRegion = createRoute({
  method: 'post',
  path: '/api/regions/{id}/move_devices',
  ...access('admin', 'fleet'),
  ...ifMatch,
  summary: 'Move all of its devices to another region, or to none',
  request,
  responses: { 200: moved, ...problems },
});
const moveOutOfDivision = createRoute({
  method: 'post',
  path: '/api/divisions/{id}/move_devices',
  ...access('admin', 'fleet'),
  ...ifMatch,
  summary: 'Move all of its devices to another division, or to none',
  request,
  responses: { 200: moved, ...problems },
});

export function moveRoutes({ db }: Context) {
  return createRouter()
    .openapi(moveOutOfRegion, async (c) => {
      const { id } = c.req.valid('param');
      const { to } = c.req.valid('json');
      const { caller, expected } = c.var;
      return c.json({ devices: await moveAll(db, 'regions', id, to, caller.name, expected) }, 200);
    })
    .openapi(moveOutOfDivision, async (c) => {
      const { id } = c.req.valid('param');
      const { to } = c.req.valid('json');
      const { caller, expected } = c.var;
      return c.json({ devices: await moveAll(db, 'divisions', id, to, caller.name, expected) }, 200);
    });
}
