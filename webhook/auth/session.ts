import { getCookie } from 'hono/cookie';
import { createMiddleware } from 'hono/factory';
import type { Context } from '../context.ts';
import { AppError } from '../errors.ts';
import type { AppEnv } from '../http.ts';
import { findSession, sameSecret } from './auth.ts';

export const sessionCookie = 'flota_session';

/** Lets in a bearer token (automation) or a session cookie; a cookie may change things only from the console's own origin. */
export function requireCaller(context: Context) {
  return createMiddleware<AppEnv>(async (c, next) => {
    const bearer = /^Bearer (.+)$/.exec(c.req.header('authorization') ?? '')?.[1];
    if (bearer) {
      if (!context.apiToken || !sameSecret(bearer, context.apiToken)) {
        throw new AppError('token_invalid', 'The bearer token is not known.');
      }
      c.set('caller', { name: 'api-token', role: 'admin' });
      return next();
    }
    const cookie = getCookie(c, sessionCookie);
    const caller = cookie ? await findSession(context.db, cookie) : null;
    if (!caller) throw new AppError('unauthenticated', 'Log in first.');
    if (!['GET', 'HEAD'].includes(c.req.method))
      checkOrigin(c.req.header('origin'), c.req.url, context.publicUrl);
    c.set('caller', caller);
    return next();
  });
}

/** SameSite=Strict keeps other sites' requests without the cookie; this also refuses those of a sibling host. */
export function checkOrigin(origin: string | undefined, url: string, publicUrl: string): void {
  if (!origin) return;
  if (origin !== new URL(publicUrl).origin && origin !== new URL(url).origin) {
    throw new AppError('origin_refused', `Requests from ${origin} may not change anything here.`);
  }
}
