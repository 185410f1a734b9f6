/** What a login remembers while the browser is at the issuer, in one signed cookie that only the callback gets. */
import { hkdfSync } from 'node:crypto';
import type { Context as HonoContext } from 'hono';
import { deleteCookie, getSignedCookie, setSignedCookie } from 'hono/cookie';
import { z } from 'zod';
import type { Context } from '../../context.ts';
import type { AppEnv } from '../../http.ts';

export const flowCookie = 'flota_oidc';
const lifetimeS = 600;

const flowSchema = z.object({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  returnTo: z.string(),
  until: z.number(),
});
export type Flow = z.infer<typeof flowSchema>;

/** Lax: the issuer's redirect is another site's navigation. `__Host-`, so that no sibling host can plant one. */
function options({ publicUrl }: Context) {
  const secure = new URL(publicUrl).protocol === 'https:';
  const common = { httpOnly: true, sameSite: 'Lax', path: '/' } as const;
  return secure ? ({ ...common, secure, prefix: 'host' } as const) : common;
}

/** All copies have this token, so a login may begin at one and end at another. */
function keyOf({ webhookToken }: Context): ArrayBuffer {
  return hkdfSync('sha256', webhookToken, '', 'flota oidc flow', 32);
}

export async function keepFlow(
  c: HonoContext<AppEnv>,
  context: Context,
  flow: Omit<Flow, 'until'>,
): Promise<void> {
  const value = JSON.stringify({ ...flow, until: Date.now() + lifetimeS * 1000 });
  const given = { ...options(context), maxAge: lifetimeS };
  await setSignedCookie(c, flowCookie, Buffer.from(value).toString('base64url'), keyOf(context), given);
}

/** Null when there is none, or it is too old or not ours; the browser has it no longer. */
export async function takeFlow(c: HonoContext<AppEnv>, context: Context): Promise<Flow | null> {
  const { prefix, ...rest } = { prefix: undefined, ...options(context) };
  const value = await getSignedCookie(c, keyOf(context), flowCookie, prefix);
  deleteCookie(c, flowCookie, { ...rest, ...(prefix && { prefix }) });
  if (!value) return null;
  const flow = flowSchema.parse(JSON.parse(Buffer.from(value, 'base64url').toString()));
  return flow.until > Date.now() ? flow : null;
}
