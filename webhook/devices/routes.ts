import { createRoute, z } from '@hono/zod-openapi';
import { deviceIdSchema } from '#emqx/protocol.ts';
import { kick } from '../certificates/blocked-kick.ts';
import type { Context } from '../context.ts';
import { fieldErrorSchema } from '../field-errors.ts';
import { access, answer, createRouter, ifMatch, jsonBody, listOrPage, paging, problems } from '../http.ts';
import * as devices from './devices.ts';
import { toCsv, toJson } from './export.ts';
import { deviceChangeSchema, deviceSchema, newDeviceSchema } from './fields.ts';
import { importCsv } from './import.ts';
import { sorts } from './page.ts';
import { querySchema } from './query/schema.ts';
import * as tallies from './tallies.ts';

const filter = {
  search: z.string().max(100).optional(),
  region: z.uuid().optional(),
  division: z.uuid().optional(),
  hardware: z.string().max(64).optional(),
  tag: z.string().max(64).optional(),
  q: querySchema.optional(),
  online: z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .optional(),
};

const list = createRoute({
  method: 'get',
  path: '/api/devices',
  ...access('viewer', 'devices'),
  summary: 'Devices, by id unless `sort` says otherwise',
  request: {
    query: paging.extend({
      ...filter,
      sort: z.enum(sorts).optional(),
      /** Of a page: every device that matches is counted, however long that takes. */
      count: z.enum(['exact']).optional(),
    }),
  },
  responses: {
    200: answer('All, or a page with its total when `limit` is given', listOrPage(deviceSchema)),
    ...problems,
  },
});
const listCsv = createRoute({
  method: 'get',
  path: '/api/devices.csv',
  ...access('viewer', 'devices'),
  summary:
    'The same devices as CSV, by id; a field that a spreadsheet would take for a formula has an apostrophe before it',
  request: { query: z.object(filter) },
  responses: {
    200: { description: 'All of them', content: { 'text/csv': { schema: z.string() } } },
    ...problems,
  },
});
const get = createRoute({
  method: 'get',
  path: '/api/devices/{id}',
  ...access('viewer', 'devices'),
  summary: 'One device',
  request: { params: z.object({ id: deviceIdSchema }) },
  responses: { 200: answer('The device', deviceSchema), ...problems },
});
const create = createRoute({
  method: 'post',
  path: '/api/devices',
  ...access('admin', 'fleet'),
  summary: 'Register a device',
  request: jsonBody(newDeviceSchema),
  responses: { 201: answer('The device', deviceSchema), ...problems },
});
const change = createRoute({
  method: 'patch',
  path: '/api/devices/{id}',
  ...access('admin', 'devices'),
  ...ifMatch,
  summary: 'Change what is known of a device; null takes it out of its region or division',
  request: {
    params: z.object({ id: deviceIdSchema }),
    ...jsonBody(deviceChangeSchema),
  },
  responses: { 200: answer('The device', deviceSchema), ...problems },
});
const remove = createRoute({
  method: 'delete',
  path: '/api/devices/{id}',
  ...access('admin', 'devices'),
  ...ifMatch,
  summary:
    'Delete a device and all that is kept of it, and revoke its certificates; refused while an update of it has not ended',
  request: { params: z.object({ id: deviceIdSchema }) },
  responses: { 204: { description: 'Deleted' }, ...problems },
});
const listHardware = createRoute({
  method: 'get',
  path: '/api/hardware',
  ...access('viewer', 'devices'),
  summary: 'Hardware names with how many devices each has',
  responses: {
    200: answer('All', z.array(z.object({ hardware: z.string(), devices: z.int() }))),
    ...problems,
  },
});
const flag = z
  .enum(['true', 'false'])
  .default('false')
  .transform((value) => value === 'true');
const missing = z.object({ name: z.string(), lines: z.int() });
const importDevices = createRoute({
  method: 'post',
  path: '/api/devices/import',
  ...access('admin', 'fleet'),
  summary:
    'Register devices from CSV (id, hardware, name, region, division, tags); wrong lines are told, the others go in. `makePlaces` adds regions and divisions that are not there, `update` overwrites what the file has columns for',
  request: {
    query: z.object({ update: flag, dryRun: flag, makePlaces: flag }),
    body: { content: { 'text/csv': { schema: z.string() } }, required: true },
  },
  responses: {
    200: answer(
      'What became of each line',
      z.object({
        dryRun: z.boolean(),
        created: z.int(),
        updated: z.int(),
        refused: z.int(),
        missing: z.object({ regions: z.array(missing), divisions: z.array(missing) }),
        lines: z.array(
          z.object({
            line: z.int(),
            id: z.string(),
            outcome: z.enum(['created', 'updated', 'refused']),
            message: z.string().nullable(),
            problems: z.array(fieldErrorSchema).optional(),
          }),
        ),
      }),
    ),
    ...problems,
  },
});

export function deviceRoutes(context: Context) {
  const router = createRouter();
  const { db } = context;
  return router
    .openapi(list, async (c) => {
      const { q, limit, ...rest } = c.req.valid('query');
      const filter = { ...rest, query: q };
      if (limit) return c.json(await devices.list(db, c.get('reach'), { ...filter, limit }), 200);
      const all = await toJson(devices.listPages(db, c.get('reach'), filter));
      return c.body(all, 200, { 'Content-Type': 'application/json' }) as never;
    })
    .openapi(listCsv, async (c) => {
      const { q, ...rest } = c.req.valid('query');
      const all = await toCsv(devices.listPages(db, c.get('reach'), { ...rest, query: q }));
      return c.body(all, 200, {
        'Content-Type': 'text/csv; charset=utf-8',
        'Content-Disposition': 'attachment; filename="devices.csv"',
      }) as never;
    })
    .openapi(get, async (c) => c.json(await devices.get(db, c.get('reach'), c.req.valid('param').id), 200))
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
    .openapi(change, async (c) => {
      const { id } = c.req.valid('param');
      const { caller, reach, expected } = c.var;
      const device = await devices.change(db, reach, id, c.req.valid('json'), caller.name, expected);
      context.live.changed('device', id);
      return c.json(device, 200);
    })
    .openapi(remove, async (c) => {
      const { id } = c.req.valid('param');
      const { caller, reach, expected } = c.var;
      await devices.remove(db, reach, id, caller.name, expected);
      await kick(context, [id]);
      context.wake();
      context.live.changed('device', id);
      return c.body(null, 204);
    })
    .openapi(listHardware, async (c) => c.json(await tallies.listHardware(db, c.get('reach')), 200))
    .openapi(importDevices, async (c) => {
      const report = await importCsv(db, await c.req.text(), c.req.valid('query'), c.get('caller').name);
      // One hint of one device: lists ask for all that is on screen anyway.
      const written = report.dryRun ? undefined : report.lines.find(({ outcome }) => outcome !== 'refused');
      if (written) context.live.changed('device', written.id);
      return c.json(report, 200);
    });
}
