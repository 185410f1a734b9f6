/**
 * Conditional requests (RFC 9110, 13). An ETag is `"REVISION-DIGEST"`: the revision is that of what people change, and all that `If-Match`
 * compares, for much of a thing changes by itself (who is online, what an update has come to); the digest is over the whole answer, for
 * `If-None-Match`. So `If-Match: "REVISION"`, with the `revision` of an item of a list, is as good.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context as HonoContext, MiddlewareHandler } from 'hono';
import type { z } from 'zod';
import { anything, digestOf, Expected } from './db/revision.ts';
import { AppError } from './errors.ts';
import { type AppEnv, findRoute, routeKey } from './http.ts';

/** What a route does with them, by `routeKey`. */
export type ConditionTable = Map<string, { takesIfMatch: boolean; hasTag: boolean }>;

export function readConditions(app: OpenAPIHono<AppEnv>): ConditionTable {
  const table: ConditionTable = new Map();
  for (const definition of app.openAPIRegistry.definitions) {
    if (definition.type !== 'route') continue;
    const { method, path, responses } = definition.route;
    const { 'x-if-match': takesIfMatch = false, 'x-etag': tagged = false } =
      definition.route as typeof definition.route & { 'x-if-match'?: boolean; 'x-etag'?: boolean };
    const schemas = Object.entries(responses).flatMap(([status, answer]) => {
      const json =
        status.startsWith('2') && 'content' in answer ? answer.content?.['application/json'] : null;
      return json && 'schema' in json ? [json.schema] : [];
    });
    const isOne = schemas.some((schema) => 'revision' in ((schema as z.ZodObject | undefined)?.shape ?? {}));
    table.set(routeKey(method, path), { takesIfMatch, hasTag: tagged || isOne });
  }
  return table;
}

/** Behind the guard and the idempotency keys: what was done once is answered as before, whatever has changed since. */
export function heedConditions(table: () => ConditionTable): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const route = findRoute(c);
    const declared = route && table().get(routeKey(route.method, route.path));
    const ifMatch = c.req.header('if-match');
    const expected = ifMatch === undefined ? anything : readIfMatch(ifMatch);
    if (declared && ifMatch !== undefined && !declared.takesIfMatch)
      throw new AppError('invalid_request', 'If-Match is not heeded here.');
    c.set('expected', expected);
    await next();
    if (!c.res.ok) return;
    if (!expected.wasChecked) throw new Error(`${route?.method} ${route?.path} has not heeded If-Match`);
    if (declared?.hasTag) await addTag(c);
  };
}

const tagForm = /^(?:W\/)?"([\x21\x23-\x7e]*)"$/;

/** A proxy that compresses makes strong tags weak; the revision in them is still the one. */
function readIfMatch(header: string): Expected {
  if (header.trim() === '*') return anything;
  const versions = header.split(',').map((tag) => {
    const [, opaque] = tagForm.exec(tag.trim()) ?? [];
    if (opaque === undefined)
      throw new AppError('invalid_request', 'If-Match must be * or a list of quoted ETags.');
    return opaque.split('-')[0]!;
  });
  return new Expected(versions);
}

async function addTag(c: HonoContext<AppEnv>): Promise<void> {
  const text = await c.res.clone().text();
  const tag = `"${tagOf(text)}"`;
  c.res.headers.set('ETag', tag);
  const asked = c.req.header('if-none-match');
  if (asked === undefined || c.req.method !== 'GET') return;
  const known = asked.split(',').map((one) => one.trim().replace(/^W\//, ''));
  if (known.includes(tag) || known.includes('*'))
    c.res = new Response(null, { status: 304, headers: { ETag: tag } });
}

function tagOf(text: string): string {
  const { revision } = (JSON.parse(text) ?? {}) as { revision?: number };
  const digest = digestOf(text);
  return revision === undefined ? digest : `${revision}-${digest}`;
}
