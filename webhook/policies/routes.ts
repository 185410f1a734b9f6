import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from '../context.ts';
import { policySchema } from '../deployments/schema.ts';
import { nameSchema } from '../devices/fields.ts';
import { access, answer, createRouter, ifMatch, jsonBody, problems, revision } from '../http.ts';
import * as policies from './policies.ts';

const id = z.object({ id: z.uuid() });
const fields = z.object({ name: nameSchema, policy: policySchema });
const named = z
  .object({
    id: z.uuid(),
    ...fields.shape,
    createdBy: z.string(),
    createdAt: z.string(),
    updatedAt: z.string(),
    revision,
  })
  .openapi('NamedPolicy');

const list = createRoute({
  method: 'get',
  path: '/api/policies',
  ...access('viewer', 'everybody'),
  summary: 'Rollout policies by name',
  responses: { 200: answer('All', z.array(named)), ...problems },
});
const create = createRoute({
  method: 'post',
  path: '/api/policies',
  ...access('operator', 'fleet'),
  summary: 'Keep a rollout policy under a name',
  request: jsonBody(fields),
  responses: { 201: answer('The policy', named), ...problems },
});
const change = createRoute({
  method: 'patch',
  path: '/api/policies/{id}',
  ...access('operator', 'fleet'),
  ...ifMatch,
  summary: 'Rename a policy, or replace what it says; deployments keep what they were made with',
  request: {
    params: id,
    ...jsonBody(fields.partial().refine((input) => Object.keys(input).length > 0, 'must change something')),
  },
  responses: { 200: answer('The policy', named), ...problems },
});
const remove = createRoute({
  method: 'delete',
  path: '/api/policies/{id}',
  ...access('operator', 'fleet'),
  ...ifMatch,
  summary: 'Delete a policy; deployments stay as they are',
  request: { params: id },
  responses: { 204: { description: 'Deleted' }, ...problems },
});

export function policyRoutes({ db }: Context) {
  return createRouter()
    .openapi(list, async (c) => c.json((await policies.list(db)).map(present), 200))
    .openapi(create, async (c) =>
      c.json(present(await policies.create(db, c.req.valid('json'), c.get('caller').name)), 201),
    )
    .openapi(change, async (c) => {
      const { id } = c.req.valid('param');
      const { caller, expected } = c.var;
      return c.json(present(await policies.change(db, id, c.req.valid('json'), caller.name, expected)), 200);
    })
    .openapi(remove, async (c) => {
      await policies.remove(db, c.req.valid('param').id, c.get('caller').name, c.get('expected'));
      return c.body(null, 204);
    });
}

function present({ createdAt, updatedAt, ...rest }: policies.NamedPolicy) {
  return { ...rest, createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() };
}
