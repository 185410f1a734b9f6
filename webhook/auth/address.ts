import { getConnInfo } from '@hono/node-server/conninfo';
import type { Context as HonoContext } from 'hono';
import type { AppEnv } from '../http.ts';

/**
 * Who is at the other end. Each proxy of ours appends the address that it saw to X-Forwarded-For: with `proxies` of them the caller's
 * is the one that the outermost wrote; everything left of it is the caller's own word.
 */
export function clientAddress(c: HonoContext<AppEnv>, proxies: number): string {
  const direct = getConnInfo(c).remote.address ?? 'unknown';
  if (proxies === 0) return direct;
  const hops = (c.req.header('x-forwarded-for') ?? '').split(',').map((hop) => hop.trim());
  return hops.filter(Boolean).at(-proxies) ?? direct;
}
