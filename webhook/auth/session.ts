import type { Context as HonoContext } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import type { Context } from '../context.ts';
import { AppError } from '../errors.ts';
import type { AppEnv, Caller } from '../http.ts';
import { findSession, sessionLifetimeMs } from './auth.ts';
import { deviceLifetimeMs } from './known-devices.ts';
import { sameSecret, sha256 } from './secrets.ts';
import { findCaller } from './tokens.ts';

export const sessionCookie = 'flota_session';

/**
 * Who is calling, by bearer token (automation) or session cookie; a cookie may change things only from the console's own origin.
 * Throws the 401 codes and `origin_refused`.
 */
export async function identify(context: Context, c: HonoContext<AppEnv>): Promise<Caller> {
  const bearer = /^Bearer (.+)$/.exec(c.req.header('authorization') ?? '')?.[1];
  if (bearer) {
    if (context.apiToken && sameSecret(bearer, context.apiToken)) {
      return { name: 'api-token', role: 'admin', userId: null, reach: null };
    }
    const caller = await findCaller(context.db, bearer);
    if (!caller) throw new AppError('token_invalid', 'The bearer token is not known, expired or revoked.');
    return caller;
  }
  const cookie = getCookie(c, sessionCookie);
  const caller = cookie ? await findSession(context.db, cookie) : null;
  if (!caller) throw new AppError('unauthenticated', 'Log in first.');
  if (!['GET', 'HEAD'].includes(c.req.method)) {
    checkOrigin(c.req.header('origin'), c.req.url, context.publicUrl);
  }
  return caller;
}

/** One for each user, so that two who share a browser do not forget each other. */
const deviceCookie = 'flota_device_';

export function readDeviceTokens(c: HonoContext<AppEnv>): string[] {
  return Object.entries(getCookie(c))
    .filter(([name]) => name.startsWith(deviceCookie))
    .map(([, token]) => token);
}

export function setDeviceCookie(
  c: HonoContext<AppEnv>,
  publicUrl: string,
  userId: string,
  token: string,
): void {
  setCookie(c, `${deviceCookie}${sha256(userId).slice(0, 12)}`, token, {
    ...strict(publicUrl),
    maxAge: deviceLifetimeMs / 1000,
  });
}

export function setSessionCookie(c: HonoContext<AppEnv>, publicUrl: string, token: string): void {
  setCookie(c, sessionCookie, token, { ...strict(publicUrl), maxAge: sessionLifetimeMs / 1000 });
}

function strict(publicUrl: string) {
  return {
    httpOnly: true,
    sameSite: 'Strict',
    secure: new URL(publicUrl).protocol === 'https:',
    path: '/',
  } as const;
}

/** SameSite=Strict keeps other sites' requests without the cookie; this also refuses those of a sibling host. */
export function checkOrigin(origin: string | undefined, url: string, publicUrl: string): void {
  if (!origin) return;
  if (origin !== new URL(publicUrl).origin && origin !== new URL(url).origin) {
    throw new AppError('origin_refused', `Requests from ${origin} may not change anything here.`);
  }
}
