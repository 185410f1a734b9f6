/**
 * Who may call what: every route declares it (`access` of `http.ts`), and this one middleware, in front of all of them, enforces it.
 * What is not declared is refused.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import type { Context } from '../context.ts';
import { reachOf } from '../devices/reach.ts';
import { AppError } from '../errors.ts';
import { type Access, type AppEnv, findRoute, type Reaches, roles, routeKey } from '../http.ts';
import { ensureScope, type Scope, scopeOf } from './scopes.ts';
import { identify } from './session.ts';

/** By `METHOD /path/:parameter`, as the router names a route. */
export type AccessTable = Map<string, { to: Access; reaching: Reaches; scope: Scope | null | undefined }>;

/** Served beside the documented routes, to anyone: what the routes are is no secret. */
const undocumented = ['GET /api/openapi.json', 'GET /api/asyncapi.json', 'GET /api/docs'];

export function createGuard(context: Context, table: () => AccessTable): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const route = findRoute(c);
    // No route at all: there is nothing to guard, and the answer is 404.
    if (!route) return next();
    const needed = table().get(routeKey(route.method, route.path));
    if (needed === undefined) throw new AppError('forbidden', 'Nobody may call this.');
    if (needed.to === 'anyone') return next();
    const caller = await identify(context, c);
    if (roles.indexOf(caller.role) < roles.indexOf(needed.to)) {
      throw new AppError('forbidden', `This takes the role ${needed.to}; yours is ${caller.role}.`);
    }
    ensureScope(caller.scopes, needed.scope);
    if (caller.reach !== null && needed.reaching === 'fleet') {
      throw new AppError('beyond_reach', 'This takes a role that holds for the whole fleet.');
    }
    c.set('caller', caller);
    c.set('reach', reachOf(caller.reach));
    return next();
  };
}

/** Throws when a route of the API declares nothing: that is a mistake of ours, found when the app is put together. */
export function readAccess(app: OpenAPIHono<AppEnv>): AccessTable {
  const table: AccessTable = new Map(
    undocumented.map((route) => [route, { to: 'anyone', reaching: 'everybody', scope: null }]),
  );
  for (const definition of app.openAPIRegistry.definitions) {
    if (definition.type !== 'route') continue;
    const {
      method,
      path,
      'x-access': to,
      'x-reach': reaching = 'fleet',
    } = definition.route as typeof definition.route & {
      'x-access'?: Access;
      'x-reach'?: Reaches;
    };
    if (to) table.set(routeKey(method, path), { to, reaching, scope: scopeOf(method, path) });
  }
  for (const { method, path } of app.routes) {
    if (method === 'ALL' || !path.startsWith('/api/') || table.has(`${method} ${path}`)) continue;
    throw new Error(`${method} ${path} does not say who may call it`);
  }
  return table;
}
