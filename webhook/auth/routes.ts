import { createRoute, z } from '@hono/zod-openapi';
import { deleteCookie, getCookie } from 'hono/cookie';
import type { Context } from '../context.ts';
import { limitsSchema } from '../devices/reach.ts';
import { access, answer, type Caller, createRouter, jsonBody, problems } from '../http.ts';
import { clientAddress } from './address.ts';
import { logIn, logOut } from './auth.ts';
import { scopes } from './scopes.ts';
import {
  checkOrigin,
  readDeviceTokens,
  sessionCookie,
  setDeviceCookie,
  setSessionCookie,
} from './session.ts';

const me = z
  .object({
    email: z.string(),
    role: z.enum(['admin', 'operator', 'viewer']),
    /** What the role holds for; null: the whole fleet. */
    reach: limitsSchema.nullable(),
    /** Of a token that may not do all that its role may. */
    scopes: z.array(z.enum(scopes)).optional(),
    /** There are virtual devices to play with (`npm start`). */
    show: z.literal(true).optional(),
    /** A user of the single sign-on: there is no password here to change. */
    sso: z.literal(true).optional(),
    /** A login takes an authenticator's code. */
    totp: z.literal(true).optional(),
    /** Of a login only: wrong passwords since the one before, and from where. */
    failedLogins: z.object({ count: z.int(), networks: z.array(z.string()) }).optional(),
  })
  .openapi('Me');

const login = createRoute({
  method: 'post',
  path: '/api/login',
  ...access('anyone', 'everybody'),
  summary: 'Log in; sets the session cookie',
  description:
    'Refused with 401 `totp_required` when the password is right and the account has an authenticator: ask again with its `code`, or a recovery code; `totp_wrong` for a wrong or used one.',
  request: jsonBody(
    z.object({
      email: z.string().min(1).max(254),
      password: z.string().min(1).max(1024),
      code: z.string().min(1).max(64).optional(),
    }),
  ),
  responses: { 200: answer('Who is logged in', me), ...problems },
});
const logout = createRoute({
  method: 'post',
  path: '/api/logout',
  ...access('anyone', 'everybody'),
  summary: 'Log out',
  responses: { 204: { description: 'Logged out' }, ...problems },
});
const whoAmI = createRoute({
  method: 'get',
  path: '/api/me',
  ...access('viewer', 'everybody'),
  summary: 'Who is logged in',
  responses: { 200: answer('Who is logged in', me), ...problems },
});

export function authRoutes(context: Context) {
  const router = createRouter();
  const present = ({ name, role, reach, scopes, issuer, hasTotp }: Caller) => ({
    email: name,
    role,
    reach,
    ...(scopes && { scopes }),
    ...(context.localRoutes && { show: true as const }),
    ...(issuer && { sso: true as const }),
    ...(hasTotp && { totp: true as const }),
  });
  return router
    .openapi(login, async (c) => {
      checkOrigin(c.req.header('origin'), c.req.url, context.publicUrl);
      const { email, password, code } = c.req.valid('json');
      const address = clientAddress(c, context.proxies ?? 0);
      const deviceTokens = readDeviceTokens(c);
      const made = await logIn(context.db, context.passwords, {
        ...{ email, password, code, address, deviceTokens },
      });
      setSessionCookie(c, context.publicUrl, made.token);
      setDeviceCookie(c, context.publicUrl, made.caller.userId!, made.device);
      return c.json(
        { ...present(made.caller), ...(made.failed.count > 0 && { failedLogins: made.failed }) },
        200,
      );
    })
    .openapi(logout, async (c) => {
      checkOrigin(c.req.header('origin'), c.req.url, context.publicUrl);
      const token = getCookie(c, sessionCookie);
      if (token) await logOut(context.db, token);
      deleteCookie(c, sessionCookie, { path: '/' });
      return c.body(null, 204);
    })
    .openapi(whoAmI, (c) => {
      return c.json(present(c.get('caller')), 200);
    });
}
