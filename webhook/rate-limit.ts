/**
 * How many requests a caller may make of one copy, told in headers as draft-ietf-httpapi-ratelimit-headers-10 has them, so that a program
 * can slow down before it is refused. A bucket for each caller: it holds a minute's worth and fills steadily.
 */
import type { MiddlewareHandler } from 'hono';
import { AppError } from './errors.ts';
import type { AppEnv } from './http.ts';

const minuteMs = 60_000;
/** Callers are users and tokens, and few; buckets that are full again are dropped when there are more than this. */
const maxBuckets = 10_000;

interface Bucket {
  left: number;
  at: number;
}

/** Behind the guard. `now`: ms of a steady clock. */
export function limitRate(perMinute: number, now = () => performance.now()): MiddlewareHandler<AppEnv> {
  const buckets = new Map<string, Bucket>();
  const policy = `"caller";q=${perMinute};w=60`;
  return async (c, next) => {
    const caller = c.get('caller');
    if (!caller) return next();
    const owner = caller.userId ?? caller.name;
    const time = now();
    const before = buckets.get(owner) ?? { left: perMinute, at: time };
    const filled = Math.min(perMinute, before.left + ((time - before.at) * perMinute) / minuteMs);
    const left = Math.max(0, filled - 1);
    if (buckets.size >= maxBuckets) dropFull(buckets, perMinute, time);
    buckets.set(owner, { left: filled < 1 ? filled : left, at: time });
    // Until it is full again; a caller that is refused waits for one request's worth.
    const fullS = Math.ceil(((perMinute - left) * 60) / perMinute);
    c.header('RateLimit-Policy', policy);
    c.header('RateLimit', `"caller";r=${Math.floor(left)};t=${fullS}`);
    if (filled < 1) {
      const retryAfterS = Math.max(1, Math.ceil(((1 - filled) * 60) / perMinute));
      throw new AppError('too_many_requests', `At most ${perMinute} requests a minute.`, { retryAfterS });
    }
    return next();
  };
}

function dropFull(buckets: Map<string, Bucket>, perMinute: number, time: number): void {
  for (const [owner, { left, at }] of buckets)
    if (left + ((time - at) * perMinute) / minuteMs >= perMinute) buckets.delete(owner);
}
