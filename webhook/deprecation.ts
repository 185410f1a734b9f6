/**
 * What is to go says so in one place, its route or its field: the document has `deprecated` and `x-sunset`, answers have `Deprecation` (RFC 9745),
 * `Sunset` (RFC 8594) and a link to the docs. `deploy/release/contract.ts` lets it go after its sunset.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import type { z } from 'zod';
import { operationIdOf } from './docs/operations.ts';
import { type AppEnv, findRoute, routeKey } from './http.ts';

/** Days, as `2027-06-01`; between them half a year at least. */
export interface Deprecation {
  since: string;
  sunset: string;
}
const halfYearMs = 180 * 86_400_000;

/** Spread into `createRoute`. */
export const deprecated = ({ since, sunset }: Deprecation) => ({
  deprecated: true,
  'x-since': since,
  'x-sunset': sunset,
});

const fields = new WeakMap<z.ZodType, Deprecation>();
/** A field of a query or of a body: answers to who uses it say so. Around `optional()`, not within. */
export function deprecatedField<S extends z.ZodType>(schema: S, of: Deprecation): S {
  const marked = schema.openapi(deprecated(of)) as S;
  fields.set(marked, of);
  return marked;
}

/** By `routeKey`: what is deprecated of a route, all of it or fields by their names. Throws for what would go too soon. */
export function readDeprecations(app: OpenAPIHono<AppEnv>) {
  const table = new Map<string, { link: string; of: [field: string | null, Deprecation][] }>();
  for (const definition of app.openAPIRegistry.definitions) {
    if (definition.type !== 'route') continue;
    const { method, path, request, ...route } = definition.route;
    const { 'x-since': since, 'x-sunset': sunset } = route as { 'x-since'?: string; 'x-sunset'?: string };
    const json = request?.body?.content['application/json'] as { schema?: unknown } | undefined;
    const shapes = [request?.query, json?.schema].map((one) => (one as z.ZodObject | undefined)?.shape ?? {});
    const of = shapes.flatMap(Object.entries).flatMap(([name, field]: [string | null, z.ZodType]) => {
      const found = fields.get(field);
      return found ? [[name, found] as [string | null, Deprecation]] : [];
    });
    if (since && sunset) of.push([null, { since, sunset }]);
    if (of.some(([, { since, sunset }]) => !(Date.parse(sunset) - Date.parse(since) >= halfYearMs)))
      throw new Error(`${method} ${path}: what is deprecated stays half a year at least`);
    const link = `</api/docs#${operationIdOf(method, path)}>; rel="deprecation"; type="text/html"`;
    if (of.length > 0) table.set(routeKey(method, path), { link, of });
  }
  return table;
}

export function tellDeprecated(table: () => ReturnType<typeof readDeprecations>): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    await next();
    const route = findRoute(c);
    const declared = route && table().get(routeKey(route.method, route.path));
    if (!declared) return;
    const sent = { ...c.req.query(), ...(await c.req.json().catch(() => null)) };
    const used = declared.of.filter(([field]) => field === null || Object.hasOwn(sent, field));
    // Of several the one that goes first.
    const [first] = used.map(([, of]) => of).sort((a, b) => Date.parse(a.sunset) - Date.parse(b.sunset));
    if (!first) return;
    c.res.headers.set('Deprecation', `@${Date.parse(first.since) / 1000}`);
    c.res.headers.set('Sunset', new Date(first.sunset).toUTCString());
    c.res.headers.append('Link', declared.link);
  };
}
