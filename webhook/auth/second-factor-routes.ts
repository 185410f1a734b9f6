/** Setting up and turning off an authenticator. */
import { createRoute, z } from '@hono/zod-openapi';
import type { Context as HonoContext } from 'hono';
import type { Context } from '../context.ts';
import { AppError } from '../errors.ts';
import { type AppEnv, access, answer, createRouter, jsonBody, problems } from '../http.ts';
import { clientAddress } from './address.ts';
import { checkPassword, type User } from './auth.ts';
import * as secondFactor from './second-factor.ts';
import { readDeviceTokens } from './session.ts';

const password = z.string().min(1).max(1024);
const code = z.string().min(1).max(64);

const begin = createRoute({
  method: 'post',
  path: '/api/me/totp',
  ...access('viewer', 'everybody'),
  summary: "A secret for an authenticator of one's own; it counts once its code has come",
  request: jsonBody(z.object({ password })),
  responses: {
    200: answer(
      'The secret in base 32, and the address that a QR code of it holds',
      z.object({ secret: z.string(), uri: z.string() }),
    ),
    ...problems,
  },
});
const confirm = createRoute({
  method: 'post',
  path: '/api/me/totp/confirm',
  ...access('viewer', 'everybody'),
  summary: 'The authenticator is set up: from now on a login takes its code',
  request: jsonBody(z.object({ code })),
  responses: {
    200: answer('Shown this once; each holds once', z.object({ recoveryCodes: z.array(z.string()) })),
    ...problems,
  },
});
const disable = createRoute({
  method: 'post',
  path: '/api/me/totp/disable',
  ...access('viewer', 'everybody'),
  summary: "Turn one's own authenticator off",
  request: jsonBody(z.object({ password, code })),
  responses: { 204: { description: 'Turned off' }, ...problems },
});
const reset = createRoute({
  method: 'delete',
  path: '/api/users/{id}/totp',
  ...access('admin', 'fleet'),
  summary: 'Turn off the authenticator of a user who has lost it',
  request: { params: z.object({ id: z.uuid() }) },
  responses: { 204: { description: 'Turned off' }, ...problems },
});

export function secondFactorRoutes(context: Context) {
  const { db, passwords } = context;
  /** Guesses count like those of a login. */
  const check = async (
    c: HonoContext<AppEnv>,
    given: { password: string; code?: string },
    both: boolean,
  ): Promise<User> => {
    const { name, userId } = c.get('caller');
    if (!userId) throw new AppError('forbidden', 'A token has no authenticator.');
    const address = clientAddress(c, context.proxies ?? 0);
    const deviceTokens = readDeviceTokens(c);
    return (await checkPassword(db, passwords, { ...given, email: name, address, deviceTokens }, both)).user;
  };
  return createRouter()
    .openapi(begin, async (c) =>
      c.json(await secondFactor.begin(db, await check(c, c.req.valid('json'), false)), 200),
    )
    .openapi(confirm, async (c) => {
      const { userId } = c.get('caller');
      if (!userId) throw new AppError('forbidden', 'A token has no authenticator.');
      return c.json({ recoveryCodes: await secondFactor.confirm(db, userId, c.req.valid('json').code) }, 200);
    })
    .openapi(disable, async (c) => {
      const user = await check(c, c.req.valid('json'), true);
      await secondFactor.remove(db, user.id, user.email, 'totp_off');
      return c.body(null, 204);
    })
    .openapi(reset, async (c) => {
      await secondFactor.remove(db, c.req.valid('param').id, c.get('caller').name, 'totp_reset');
      return c.body(null, 204);
    });
}
