/** What is refused before a route sees it, alike for all routes: by the request's form, never by what it means. */
import type { IncomingMessage } from 'node:http';
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context as HonoContext, MiddlewareHandler } from 'hono';
import { AppError, type FieldError } from './errors.ts';
import { type AppEnv, findRoute, routeKey } from './http.ts';

/** Far above what any body here has; what nests deeper would overflow the stack of whoever walks it. */
const maxDepth = 64;

/** The media types of the bodies that the routes declare, by `routeKey`. */
export type BodyTypes = Map<string, string[]>;

export function readBodyTypes(app: OpenAPIHono<AppEnv>): BodyTypes {
  const types: BodyTypes = new Map();
  for (const definition of app.openAPIRegistry.definitions) {
    if (definition.type !== 'route' || !definition.route.request?.body) continue;
    const { method, path, request } = definition.route;
    types.set(routeKey(method, path), Object.keys(request!.body!.content));
  }
  return types;
}

/** RFC 9112 §3.2: proxies and we could each go by another one. */
export function refuseSecondHost({ rawHeaders }: IncomingMessage): void {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2)
    if (rawHeaders[at]!.length === 4 && rawHeaders[at]!.toLowerCase() === 'host') hosts += 1;
  if (hosts > 1) throw new AppError('invalid_request', 'There is more than one Host header.');
}

/** 415 for a body that the route does not take, and 400 for JSON that no code of ours should have to walk or store. */
export function checkBody(types: () => BodyTypes): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const route = findRoute(c);
    const declared = route && types().get(routeKey(route.method, route.path));
    if (!declared) return next();
    const given = (c.req.header('content-type') ?? '').split(';')[0]!.trim().toLowerCase();
    if (!declared.includes(given)) {
      throw new AppError('unsupported_media_type', `The body must be ${declared.join(' or ')}.`);
    }
    if (given === 'application/json') {
      const fault = findFault(await readJson(c));
      if (fault) {
        throw new AppError('invalid_request', `${fault.path || 'body'}: ${fault.message}`, {
          errors: [fault],
        });
      }
    }
    return next();
  };
}

async function readJson(c: HonoContext<AppEnv>): Promise<unknown> {
  try {
    return await c.req.json();
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError('malformed_json', 'The body is not JSON.', { cause });
  }
}

/** The first text that PostgreSQL cannot hold (U+0000, half a surrogate pair), or too deep a nesting. */
function findFault(body: unknown): FieldError | null {
  const waiting = [{ value: body, path: '', depth: 0 }];
  for (let at = waiting.pop(); at; at = waiting.pop()) {
    const { value, path, depth } = at;
    if (typeof value === 'string' && !isStorable(value)) return { path, message: unstorable };
    if (typeof value !== 'object' || value === null) continue;
    if (depth >= maxDepth) return { path, message: `must not nest deeper than ${maxDepth}` };
    for (const [name, inner] of Object.entries(value)) {
      if (!isStorable(name)) return { path, message: unstorable };
      if (typeof inner !== 'string' && (typeof inner !== 'object' || inner === null)) continue;
      waiting.push({ value: inner, path: path ? `${path}.${name}` : name, depth: depth + 1 });
    }
  }
  return null;
}

const unstorable = 'must not hold the character U+0000 or half a surrogate pair';

function isStorable(text: string): boolean {
  // JSON text that came as UTF-8 can hold half a pair only as an escape; Node has isWellFormed, our TypeScript target not yet.
  return !text.includes('\0') && !/\p{Surrogate}/u.test(text);
}

/** For what no route has taken: 405 with the methods that there are, or 404. */
export function refuseUnrouted(app: OpenAPIHono<AppEnv>, c: HonoContext<AppEnv>): AppError {
  const { path, method } = c.req;
  const isApi = path.startsWith('/api/');
  const allowed = [...new Set(app.routes.map((route) => route.method))].filter(
    (candidate) =>
      candidate !== 'ALL' &&
      app.router
        .match(candidate, path)[0]
        // The console's pages are anything but the API.
        .some(([[, route]]) => route.method !== 'ALL' && !(isApi && route.path === '/*')),
  );
  if (allowed.includes('GET')) allowed.push('HEAD');
  if (allowed.length === 0 || allowed.includes(method)) {
    return new AppError('not_found', isApi ? 'There is no such route.' : 'There is no such page.');
  }
  c.header('Allow', allowed.sort().join(', '));
  return new AppError('method_not_allowed', `${path} takes ${allowed.join(', ')}.`);
}
