/** One's own API tokens, whatever one's role. */
import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from '../context.ts';
import { access, answer, createRouter, ifMatch, jsonBody, problems, roles } from '../http.ts';
import { ownScopes } from './held-to.ts';
import * as own from './own-tokens.ts';
import { createdToken, newTokenFields, presentToken, tokenSchema } from './token-schema.ts';

const id = z.object({ id: z.uuid() });
const { name, reach, expiresAt } = newTokenFields;

const list = createRoute({
  method: 'get',
  path: '/api/me/tokens',
  ...access('viewer', 'everybody'),
  summary: 'Your own API tokens, newest first',
  responses: { 200: answer('All, also revoked and expired ones', z.array(tokenSchema)), ...problems },
});
const create = createRoute({
  method: 'post',
  path: '/api/me/tokens',
  ...access('viewer', 'everybody'),
  summary: 'An API token of your own',
  description:
    'It may what it is made for and what you may, whatever of these is less when it is used, but approve deployments and make tokens or users. It ends with you: when you are disabled or your password changes. ' +
    'Refused with 403 `forbidden` or `beyond_reach` for more than you may, `forbidden` to a token, and with 409 `tokens_full`.',
  request: jsonBody(
    z.object({
      name,
      role: z.enum(roles).optional().openapi({ description: 'Yours at most, which is the default' }),
      reach: reach.openapi({ description: 'Within yours; null: whatever yours is' }),
      scopes: z.array(z.enum(ownScopes)).min(1).max(ownScopes.length).nullable().default(null),
      expiresAt: expiresAt.optional().openapi({ description: 'Within a year; left out: 90 days' }),
    }),
  ),
  responses: { 201: createdToken, ...problems },
});
const revoke = createRoute({
  method: 'delete',
  path: '/api/me/tokens/{id}',
  ...access('viewer', 'everybody'),
  ...ifMatch,
  summary: 'Revoke an API token of your own at once',
  request: { params: id },
  responses: { 204: { description: 'Revoked' }, ...problems },
});

export function ownTokenRoutes({ db, tokenMaxDays }: Context) {
  return createRouter()
    .openapi(list, async (c) => c.json((await own.list(db, c.get('caller'))).map(presentToken), 200))
    .openapi(create, async (c) => {
      const person = own.ensurePerson(c.get('caller'));
      const { expiresAt, role, ...rest } = c.req.valid('json');
      const asked = { ...rest, role, expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt) };
      const { secret, token } = await own.create(db, asked, person, tokenMaxDays);
      return c.json({ secret, token: presentToken(token) }, 201);
    })
    .openapi(revoke, async (c) => {
      const person = own.ensurePerson(c.get('caller'));
      await own.revoke(db, c.req.valid('param').id, person, c.get('expected'));
      return c.body(null, 204);
    });
}
