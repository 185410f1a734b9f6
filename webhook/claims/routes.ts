import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from '../context.ts';
import { nameSchema } from '../devices/fields.ts';
import { access, answer, createRouter, jsonBody, problems } from '../http.ts';
import * as claims from './claims.ts';
import { claimKinds } from './table.ts';

const fields = z.object({
  owner: nameSchema,
  kind: z.enum(claimKinds),
  name: nameSchema,
  subject: z.uuid().nullable(),
});
const claimSchema = fields.extend({ id: z.uuid(), createdAt: z.string() }).openapi('Claim');

const list = createRoute({
  method: 'get',
  path: '/api/claims',
  ...access('operator', 'fleet'),
  summary: 'What fleet files have made, by kind and name',
  responses: { 200: answer('All claims', z.array(claimSchema)), ...problems },
});
const claim = createRoute({
  method: 'put',
  path: '/api/claims',
  ...access('operator', 'fleet'),
  summary: 'Say that a fleet file makes, or has made, something; nothing else changes',
  request: jsonBody(fields),
  responses: { 200: answer('The claim', claimSchema), ...problems },
});
const release = createRoute({
  method: 'delete',
  path: '/api/claims/{id}',
  ...access('operator', 'fleet'),
  summary: 'Give up a claim; what was made stays',
  request: { params: z.object({ id: z.uuid() }) },
  responses: { 204: { description: 'Given up' }, ...problems },
});

export function claimRoutes({ db }: Context) {
  return createRouter()
    .openapi(list, async (c) => c.json((await claims.list(db)).map(present), 200))
    .openapi(claim, async (c) =>
      c.json(present(await claims.claim(db, c.req.valid('json'), c.get('caller').name)), 200),
    )
    .openapi(release, async (c) => {
      await claims.release(db, c.req.valid('param').id, c.get('caller').name);
      return c.body(null, 204);
    });
}

function present({ createdAt, ...rest }: claims.Claim) {
  return { ...rest, createdAt: createdAt.toISOString() };
}
