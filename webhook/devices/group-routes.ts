import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from '../context.ts';
import { access, answer, createRouter, ifMatch, jsonBody, problems, revision } from '../http.ts';
import { channelSchema, nameSchema, versionSchema } from './fields.ts';
import * as groups from './groups.ts';
import { queryTextSchema } from './query/schema.ts';

const id = z.object({ id: z.uuid() });
const group = z
  .object({
    id: z.uuid(),
    name: z.string(),
    query: z.string(),
    /** Deployments of other versions leave its devices out, and it follows this channel; a device's own go before them. */
    pinned: z.string().nullable(),
    channel: z.string().nullable(),
    createdBy: z.string(),
    createdAt: z.string(),
    updatedAt: z.string(),
    revision,
  })
  .openapi('Group');
const fields = z.object({
  name: nameSchema,
  query: queryTextSchema,
  pinned: versionSchema.nullable().optional(),
  channel: channelSchema.nullable().optional(),
});

const list = createRoute({
  method: 'get',
  path: '/api/groups',
  ...access('viewer', 'fleet'),
  summary: 'Saved queries by name',
  responses: { 200: answer('All', z.array(group)), ...problems },
});
const create = createRoute({
  method: 'post',
  path: '/api/groups',
  ...access('operator', 'fleet'),
  summary: 'Save a query under a name',
  request: jsonBody(fields),
  responses: { 201: answer('The group', group), ...problems },
});
const change = createRoute({
  method: 'patch',
  path: '/api/groups/{id}',
  ...access('operator', 'fleet'),
  ...ifMatch,
  summary:
    'Rename a group, give it another query (deployments keep the one that they were made with), pin it, or let it follow a channel',
  request: {
    params: id,
    ...jsonBody(fields.partial().refine((input) => Object.keys(input).length > 0, 'must change something')),
  },
  responses: { 200: answer('The group', group), ...problems },
});
const remove = createRoute({
  method: 'delete',
  path: '/api/groups/{id}',
  ...access('operator', 'fleet'),
  ...ifMatch,
  summary: 'Delete a group; devices and deployments stay as they are',
  request: { params: id },
  responses: { 204: { description: 'Deleted' }, ...problems },
});

export function groupRoutes({ db }: Context) {
  return createRouter()
    .openapi(list, async (c) => c.json((await groups.list(db)).map(present), 200))
    .openapi(create, async (c) =>
      c.json(present(await groups.create(db, c.req.valid('json'), c.get('caller').name)), 201),
    )
    .openapi(change, async (c) => {
      const { id } = c.req.valid('param');
      const { caller, expected } = c.var;
      return c.json(present(await groups.change(db, id, c.req.valid('json'), caller.name, expected)), 200);
    })
    .openapi(remove, async (c) => {
      await groups.remove(db, c.req.valid('param').id, c.get('caller').name, c.get('expected'));
      return c.body(null, 204);
    });
}

function present({ createdAt, updatedAt, ...rest }: groups.Group) {
  return { ...rest, createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() };
}
