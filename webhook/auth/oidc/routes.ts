/** Single sign-on: to the issuer, back from it, and out when it says so. */
import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from '../../context.ts';
import { AppError } from '../../errors.ts';
import { access, answer, createRouter, problems } from '../../http.ts';
import { setSessionCookie } from '../session.ts';
import { subjectOf, toIdentity } from './claims.ts';
import { keepFlow, takeFlow } from './flow.ts';
import { createIssuer, logoutMemoryMs } from './issuer.ts';
import { endSessionsBy, endSessionsOf, logInBy } from './users.ts';

/** A page of the console: never another host, whatever a browser makes of slashes. */
const localPath = z
  .string()
  .max(1000)
  .regex(/^\/([!-.0-[\]-~][!-[\]-~]*)?$/, 'must be a path of the console')
  .default('/');

const describeOidc = createRoute({
  method: 'get',
  path: '/api/oidc',
  ...access('anyone', 'everybody'),
  summary: 'Whether there is a single sign-on',
  responses: {
    200: answer('The label of its button; null without one', z.object({ button: z.string().nullable() })),
    ...problems,
  },
});
const login = createRoute({
  method: 'get',
  path: '/api/oidc/login',
  ...access('anyone', 'everybody'),
  summary: 'To the issuer, for a login (in a browser)',
  request: { query: z.object({ return_to: localPath }) },
  responses: { 302: { description: 'To the issuer, or to the login page with `login_error`' }, ...problems },
});
const callback = createRoute({
  method: 'get',
  path: '/api/oidc/callback',
  ...access('anyone', 'everybody'),
  summary: 'Back from the issuer; sets the session cookie',
  responses: { 302: { description: 'To the console, or to the login page with `login_error`' }, ...problems },
});
const logout = createRoute({
  method: 'post',
  path: '/api/oidc/backchannel-logout',
  ...access('anyone', 'everybody'),
  summary: 'The issuer ends sessions (OpenID Connect Back-Channel Logout)',
  request: {
    body: {
      content: {
        'application/x-www-form-urlencoded': {
          schema: z.object({ logout_token: z.string().min(1).max(16_384) }),
        },
      },
      required: true,
    },
  },
  responses: { 200: { description: 'They are ended' }, ...problems },
});

export function oidcRoutes(context: Context) {
  const settings = context.oidc;
  const issuer = settings && createIssuer(settings);
  const there = () => {
    if (!settings || !issuer) throw new AppError('not_found', 'There is no single sign-on here.');
    return { settings, issuer };
  };
  const callbackUrl = () => new URL('/api/oidc/callback', context.publicUrl);
  /** A browser is at it, so whoever sits there is told by the login page. */
  const tell = (error: unknown): string => {
    if (!(error instanceof AppError)) throw error;
    context.log('warn', 'single sign-on refused', { reason: error.code, error });
    return `/?login_error=${error.code}`;
  };
  return createRouter()
    .openapi(describeOidc, (c) => c.json({ button: settings?.button ?? null }, 200))
    .openapi(login, async (c) => {
      const { issuer } = there();
      try {
        const { url, flow } = await issuer.begin(callbackUrl().href);
        await keepFlow(c, context, { ...flow, returnTo: c.req.valid('query').return_to });
        return c.redirect(url.href, 302);
      } catch (error) {
        return c.redirect(tell(error), 302);
      }
    })
    .openapi(callback, async (c) => {
      const { issuer, settings } = there();
      try {
        const flow = await takeFlow(c, context);
        const url = callbackUrl();
        url.search = new URL(c.req.url).search;
        if (!flow || url.searchParams.get('state') !== flow.state)
          throw new AppError('oidc_stale', 'This browser has begun no such login, or too long ago.');
        const claims = await issuer.finish(url, flow);
        try {
          const identity = toIdentity(claims, settings);
          const token = await logInBy(context.db, identity, flow.state, new Date(flow.until));
          setSessionCookie(c, context.publicUrl, token);
        } catch (error) {
          if (error instanceof AppError && error.code === 'oidc_no_role')
            await endSessionsOf(context.db, subjectOf(claims));
          throw error;
        }
        return c.redirect(flow.returnTo, 302);
      } catch (error) {
        return c.redirect(tell(error), 302);
      }
    })
    .openapi(logout, async (c) => {
      const { issuer } = there();
      const loggedOut = await issuer.readLogout(c.req.valid('form').logout_token);
      await endSessionsBy(context.db, loggedOut, new Date(Date.now() + logoutMemoryMs));
      return c.body(null, 200);
    });
}
