import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from '../context.ts';
import { access, answer, createRouter, ifMatch, jsonBody, problems, revision } from '../http.ts';
import * as places from './places.ts';
import { timeZoneSchema } from './time-zone.ts';

const id = z.object({ id: z.uuid() });
const place = z.object({ id: z.uuid(), name: z.string(), devices: z.int(), revision }).openapi('Place');
const name = z.string().trim().min(1).max(100);
const naming = jsonBody(z.object({ name }));

/** Maintenance windows go by the region's wall clock; devices without a region go by UTC. */
const region = place.extend({ timeZone: z.string() }).openapi('Region');

const listRegions = createRoute({
  method: 'get',
  path: '/api/regions',
  ...access('viewer', 'devices'),
  summary: 'Regions by name',
  responses: { 200: answer('All regions', z.array(region)), ...problems },
});
const createRegion = createRoute({
  method: 'post',
  path: '/api/regions',
  ...access('admin', 'fleet'),
  summary: 'Add a region',
  request: jsonBody(z.object({ name, timeZone: timeZoneSchema.default('UTC') })),
  responses: { 201: answer('The region', region), ...problems },
});
const changeRegion = createRoute({
  method: 'patch',
  path: '/api/regions/{id}',
  ...access('admin', 'fleet'),
  ...ifMatch,
  summary: 'Rename a region, or set its time zone',
  request: {
    params: id,
    ...jsonBody(
      z
        .object({ name: name.optional(), timeZone: timeZoneSchema.optional() })
        .refine((input) => Object.values(input).some((v) => v !== undefined), 'must change something'),
    ),
  },
  responses: { 200: answer('The region', region), ...problems },
});
const deleteRegion = createRoute({
  method: 'delete',
  path: '/api/regions/{id}',
  ...access('admin', 'fleet'),
  ...ifMatch,
  summary: 'Delete a region without devices',
  request: { params: id },
  responses: { 204: { description: 'Deleted' }, ...problems },
});
const listDivisions = createRoute({
  method: 'get',
  path: '/api/divisions',
  ...access('viewer', 'devices'),
  summary: 'Divisions by name',
  responses: { 200: answer('All divisions', z.array(place)), ...problems },
});
const createDivision = createRoute({
  method: 'post',
  path: '/api/divisions',
  ...access('admin', 'fleet'),
  summary: 'Add a division',
  request: naming,
  responses: { 201: answer('The division', place), ...problems },
});
const renameDivision = createRoute({
  method: 'patch',
  path: '/api/divisions/{id}',
  ...access('admin', 'fleet'),
  ...ifMatch,
  summary: 'Rename a division',
  request: { params: id, ...naming },
  responses: { 200: answer('The division', place), ...problems },
});
const deleteDivision = createRoute({
  method: 'delete',
  path: '/api/divisions/{id}',
  ...access('admin', 'fleet'),
  ...ifMatch,
  summary: 'Delete a division without devices',
  request: { params: id },
  responses: { 204: { description: 'Deleted' }, ...problems },
});

export function placeRoutes({ db }: Context) {
  return createRouter()
    .openapi(listRegions, async (c) => c.json(await places.list(db, c.get('reach'), 'regions'), 200))
    .openapi(createRegion, async (c) =>
      c.json(await places.create(db, 'regions', c.req.valid('json'), c.get('caller').name), 201),
    )
    .openapi(changeRegion, async (c) => {
      const { id } = c.req.valid('param');
      const { caller, expected } = c.var;
      return c.json(await places.change(db, 'regions', id, c.req.valid('json'), caller.name, expected), 200);
    })
    .openapi(deleteRegion, async (c) => {
      const { caller, expected } = c.var;
      await places.remove(db, 'regions', c.req.valid('param').id, caller.name, expected);
      return c.body(null, 204);
    })
    .openapi(listDivisions, async (c) => c.json(await places.list(db, c.get('reach'), 'divisions'), 200))
    .openapi(createDivision, async (c) =>
      c.json(await places.create(db, 'divisions', c.req.valid('json'), c.get('caller').name), 201),
    )
    .openapi(renameDivision, async (c) => {
      const { id } = c.req.valid('param');
      const { caller, expected } = c.var;
      return c.json(
        await places.change(db, 'divisions', id, c.req.valid('json'), caller.name, expected),
        200,
      );
    })
    .openapi(deleteDivision, async (c) => {
      const { caller, expected } = c.var;
      await places.remove(db, 'divisions', c.req.valid('param').id, caller.name, expected);
      return c.body(null, 204);
    });
}
