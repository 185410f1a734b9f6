/** Of a list that goes on, the address of its next page (RFC 8288): for whoever follows links, and not the field `next`. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import type { z } from 'zod';
import { type AppEnv, findRoute, routeKey } from './http.ts';

/** Routes that take a `cursor`, by `routeKey`. */
export function readPagedRoutes(app: OpenAPIHono<AppEnv>): Set<string> {
  const paged = app.openAPIRegistry.definitions.flatMap((definition) => {
    if (definition.type !== 'route') return [];
    const { method, path, request } = definition.route;
    const asked = (request?.query as z.ZodObject | undefined)?.shape ?? {};
    return 'cursor' in asked ? [routeKey(method, path)] : [];
  });
  return new Set(paged);
}

export function linkNextPage(paged: () => Set<string>): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    await next();
    const route = findRoute(c);
    if (!c.res.ok || !route || !paged().has(routeKey(route.method, route.path))) return;
    const text = await c.res.clone().text();
    // The whole list, as first published, has no pages.
    if (!text.startsWith('{')) return;
    const page = JSON.parse(text) as { next?: string | null };
    if (!page.next) return;
    const { pathname, searchParams } = new URL(c.req.url);
    searchParams.delete('offset');
    searchParams.set('cursor', page.next);
    // Relative, for nobody here knows the address by which a proxy is asked.
    c.res.headers.append('Link', `<${pathname}?${searchParams}>; rel="next"`);
  };
}
