import { createRoute, z } from '@hono/zod-openapi';
import { deviceIdSchema } from '#emqx/protocol.ts';
import type { Context } from '../context.ts';
import { access, answer, createRouter, jsonBody, listOrPage, paging, problems } from '../http.ts';
import * as devices from './devices.ts';

const named = z.object({ id: z.uuid(), name: z.string() });
const place = named.extend({ devices: z.int() }).openapi('Place');
const newPlace = z.object({ name: z.string().trim().min(1).max(100) });

const deviceSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    region: named.nullable(),
    division: named.nullable(),
    hardware: z.string(),
    online: z.boolean(),
    connectedAt: z.string().nullable(),
    lastSeenAt: z.string().nullable(),
    running: z.array(
      z.object({ component: z.string(), version: z.string(), sha256: z.string(), securityVersion: z.int() }),
    ),
    certificate: z.object({ serial: z.string(), notAfter: z.string() }).nullable(),
    createdAt: z.string(),
  })
  .openapi('Device');

const list = createRoute({
  method: 'get',
  path: '/api/devices',
  ...access('viewer'),
  summary: 'Devices by id',
  request: {
    query: paging.extend({
      search: z.string().max(100).optional(),
      region: z.uuid().optional(),
      division: z.uuid().optional(),
      hardware: z.string().max(64).optional(),
    }),
  },
  responses: {
    200: answer('All, or a page with its total when `limit` is given', listOrPage(deviceSchema)),
    ...problems,
  },
});
const get = createRoute({
  method: 'get',
  path: '/api/devices/{id}',
  ...access('viewer'),
  summary: 'One device',
  request: { params: z.object({ id: deviceIdSchema }) },
  responses: { 200: answer('The device', deviceSchema), ...problems },
});
const create = createRoute({
  method: 'post',
  path: '/api/devices',
  ...access('admin'),
  summary: 'Register a device',
  request: jsonBody(
    z.object({
      id: deviceIdSchema,
      hardware: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/),
      name: z.string().trim().min(1).max(100).optional(),
      region: z.uuid().optional(),
      division: z.uuid().optional(),
    }),
  ),
  responses: { 201: answer('The device', deviceSchema), ...problems },
});
const listRegions = createRoute({
  method: 'get',
  path: '/api/regions',
  ...access('viewer'),
  summary: 'Regions by name',
  responses: { 200: answer('All regions', z.array(place)), ...problems },
});
const createRegion = createRoute({
  method: 'post',
  path: '/api/regions',
  ...access('admin'),
  summary: 'Add a region',
  request: jsonBody(newPlace),
  responses: { 201: answer('The region', place), ...problems },
});
const listDivisions = createRoute({
  method: 'get',
  path: '/api/divisions',
  ...access('viewer'),
  summary: 'Divisions by name',
  responses: { 200: answer('All divisions', z.array(place)), ...problems },
});
const createDivision = createRoute({
  method: 'post',
  path: '/api/divisions',
  ...access('admin'),
  summary: 'Add a division',
  request: jsonBody(newPlace),
  responses: { 201: answer('The division', place), ...problems },
});

export function deviceRoutes(context: Context) {
  const router = createRouter();
  const { db } = context;
  return router
    .openapi(list, async (c) => {
      const query = c.req.valid('query');
      const { items, total } = await devices.list(db, query);
      return c.json(query.limit ? { items, total } : items, 200);
    })
    .openapi(get, async (c) => c.json(await devices.get(db, c.req.valid('param').id), 200))
    .openapi(create, async (c) => {
      const input = c.req.valid('json');
      const device = await devices.create(
        db,
        { ...input, name: input.name ?? input.id },
        c.get('caller').name,
      );
      context.live.changed('device', device.id);
      return c.json(device, 201);
    })
    .openapi(listRegions, async (c) => c.json(await devices.listPlaces(db, 'regions'), 200))
    .openapi(createRegion, async (c) =>
      c.json(await devices.createPlace(db, 'regions', c.req.valid('json').name, c.get('caller').name), 201),
    )
    .openapi(listDivisions, async (c) => c.json(await devices.listPlaces(db, 'divisions'), 200))
    .openapi(createDivision, async (c) =>
      c.json(await devices.createPlace(db, 'divisions', c.req.valid('json').name, c.get('caller').name), 201),
    );
}
