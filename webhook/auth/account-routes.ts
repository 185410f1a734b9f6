/** Users, API tokens and one's own password. */
import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from '../context.ts';
import { limitsSchema } from '../devices/reach.ts';
import { AppError } from '../errors.ts';
import { access, answer, createRouter, ifMatch, jsonBody, problems, revision, roles } from '../http.ts';
import { clientAddress } from './address.ts';
import { checkPassword, type User } from './auth.ts';
import { scopes } from './scopes.ts';
import { readDeviceTokens, setDeviceCookie, setSessionCookie } from './session.ts';
import { createdToken, newTokenFields, presentToken, tokenSchema } from './token-schema.ts';
import * as tokens from './tokens.ts';
import * as users from './users.ts';

const id = z.object({ id: z.uuid() });
const role = z.enum(roles);
const scope = z.enum(scopes);
const password = z.string().min(8).max(1024);
/** Of the role; null: the whole fleet. */
const reach = limitsSchema.nullable();

const userSchema = z
  .object({
    id: z.uuid(),
    email: z.string(),
    role,
    reach,
    disabled: z.boolean(),
    createdAt: z.string(),
    /** Of the single sign-on that vouches for this user; null for a local account. */
    issuer: z.string().nullable(),
    revision,
    /** A login takes an authenticator's code. */
    totp: z.boolean(),
  })
  .openapi('User');
const listUsers = createRoute({
  method: 'get',
  path: '/api/users',
  ...access('admin', 'fleet'),
  summary: 'Users by e-mail',
  responses: { 200: answer('All users', z.array(userSchema)), ...problems },
});
const createUser = createRoute({
  method: 'post',
  path: '/api/users',
  ...access('admin', 'fleet'),
  summary: 'Add a user',
  request: jsonBody(z.object({ email: z.email().max(254), password, role, reach: reach.default(null) })),
  responses: { 201: answer('The user', userSchema), ...problems },
});
const changeUser = createRoute({
  method: 'patch',
  path: '/api/users/{id}',
  ...access('admin', 'fleet'),
  ...ifMatch,
  summary:
    'Change role, reach or password, disable or enable; ends the sessions of who is disabled or gets another password',
  request: {
    params: id,
    ...jsonBody(
      z
        .object({
          role: role.optional(),
          reach: reach.optional(),
          disabled: z.boolean().optional(),
          password: password.optional(),
        })
        .refine((change) => Object.keys(change).length > 0, 'must change something'),
    ),
  },
  responses: { 200: answer('The user', userSchema), ...problems },
});
const changePassword = createRoute({
  method: 'post',
  path: '/api/me/password',
  ...access('viewer', 'everybody'),
  summary: "Change one's own password; ends all sessions but a new one",
  request: jsonBody(z.object({ currentPassword: z.string().min(1).max(1024), newPassword: password })),
  responses: { 204: { description: 'Changed' }, ...problems },
});
const listTokens = createRoute({
  method: 'get',
  path: '/api/tokens',
  ...access('admin', 'fleet'),
  summary: 'API tokens, newest first',
  responses: { 200: answer('All, also revoked and expired ones', z.array(tokenSchema)), ...problems },
});
const createToken = createRoute({
  method: 'post',
  path: '/api/tokens',
  ...access('admin', 'fleet'),
  summary: 'A bearer token for automation',
  request: jsonBody(
    z.object({
      name: newTokenFields.name,
      role,
      reach: newTokenFields.reach,
      scopes: scope.array().min(1).max(scopes.length).nullable().default(null).openapi({
        description: 'What it may do beside its role and reach; null: whatever its role may do',
      }),
      expiresAt: newTokenFields.expiresAt
        .nullable()
        .optional()
        .openapi({ description: 'Left out: 90 days of a token with scopes, else never; null: never' }),
    }),
  ),
  responses: {
    201: createdToken,
    ...problems,
  },
});
const revokeToken = createRoute({
  method: 'delete',
  path: '/api/tokens/{id}',
  ...access('admin', 'fleet'),
  ...ifMatch,
  summary: 'Revoke an API token at once',
  request: { params: id },
  responses: { 204: { description: 'Revoked' }, ...problems },
});

export function accountRoutes(context: Context) {
  const { db, passwords } = context;
  return createRouter()
    .openapi(listUsers, async (c) => c.json((await users.list(db)).map(presentUser), 200))
    .openapi(createUser, async (c) =>
      c.json(presentUser(await users.create(db, passwords, c.req.valid('json'), c.get('caller').name)), 201),
    )
    .openapi(changeUser, async (c) => {
      const { caller, expected } = c.var;
      const { id } = c.req.valid('param');
      const user = await users.change(db, passwords, id, c.req.valid('json'), caller.name, expected);
      return c.json(presentUser(user), 200);
    })
    .openapi(changePassword, async (c) => {
      const { name, userId } = c.get('caller');
      if (!userId) throw new AppError('forbidden', 'A token has no password.');
      const { currentPassword, newPassword } = c.req.valid('json');
      const address = clientAddress(c, context.proxies ?? 0);
      const credentials = { email: name, address, password: currentPassword };
      const { user } = await checkPassword(db, passwords, {
        ...credentials,
        deviceTokens: readDeviceTokens(c),
      });
      const made = await users.changeOwnPassword(db, passwords, user, newPassword);
      setSessionCookie(c, context.publicUrl, made.token);
      setDeviceCookie(c, context.publicUrl, userId, made.device);
      return c.body(null, 204);
    })
    .openapi(listTokens, async (c) => c.json((await tokens.list(db)).map(presentToken), 200))
    .openapi(createToken, async (c) => {
      const { expiresAt, ...rest } = c.req.valid('json');
      const input = {
        ...rest,
        ...(expiresAt !== undefined && { expiresAt: expiresAt === null ? null : new Date(expiresAt) }),
      };
      const { secret, token } = await tokens.create(db, input, c.get('caller').name, context.tokenMaxDays);
      return c.json({ secret, token: presentToken(token) }, 201);
    })
    .openapi(revokeToken, async (c) => {
      await tokens.revoke(db, c.req.valid('param').id, c.get('caller').name, c.get('expected'));
      return c.body(null, 204);
    });
}

function presentUser({
  id,
  email,
  role,
  reach,
  disabledAt,
  createdAt,
  oidcIssuer: issuer,
  totpSecret,
  revision,
}: User) {
  const [disabled, totp] = [disabledAt !== null, totpSecret !== null];
  return { id, email, role, reach, disabled, createdAt: createdAt.toISOString(), issuer, totp, revision };
}
