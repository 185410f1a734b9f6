/** What all routes share: the router with its validation, and short forms for OpenAPI descriptions. */
import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context as HonoContext } from 'hono';
import { matchedRoutes } from 'hono/route';
import type { Scope } from './auth/scopes.ts';
import type { Expected } from './db/revision.ts';
import type { Limits, Reach } from './devices/reach.ts';
import { AppError } from './errors.ts';
import { fieldErrorSchema, inOneLine, toFieldErrors } from './field-errors.ts';

/** Each may do all that the ones before it may. */
export const roles = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof roles)[number];

/** Who is calling, set by `auth/guard.ts` on every route that is not open to anyone. */
export interface Caller {
  name: string;
  role: Role;
  /** Null for a token. */
  userId: string | null;
  /** Null: the role holds for the whole fleet. */
  reach: Limits | null;
  /** Of a token; null or absent: whatever its role may do. */
  scopes?: Scope[] | null;
  /** Of a user of the single sign-on. */
  issuer?: string | null;
  /** A user with an authenticator. */
  hasTotp?: boolean;
}

/** `anyone` is for the routes by which one gets in. */
export type Access = Role | 'anyone';

/**
 * What a route is to a caller whose role holds for some regions and divisions only. `devices`: its queries take `c.get('reach')`.
 * `everybody`: it says the same to all, and nothing of any device. `fleet`: it takes somebody who reaches everything.
 */
export const reaches = ['devices', 'everybody', 'fleet'] as const;
export type Reaches = (typeof reaches)[number];

/**
 * Who may call a route at least: spread it into `createRoute`. The app does not start with a route that lacks it. One that does not say
 * how it takes a limited reach is closed to who has one, and fails `reach.test.ts`.
 */
export function access(to: Access, reaching?: Reaches) {
  const security: Record<string, string[]>[] = to === 'anyone' ? [] : [{ session: [] }, { bearer: [] }];
  return { 'x-access': to, ...(reaching && { 'x-reach': reaching }), security };
}

/**
 * The route changes a thing that is there: it takes `If-Match`, and hands `c.get('expected')` to its operation, which checks it in its own
 * transaction. Spread into `createRoute`; `conditional.test.ts` names the routes that lack it.
 */
export const ifMatch = { 'x-if-match': true };

/** An answer that is no thing with a `revision` has an ETag nevertheless: that of its content. */
export const tagged = { 'x-etag': true };

/** Of what people change: it is another after every change of theirs. An answer of one thing that has it has an ETag, too. */
export const revision = z.int();

/** How a route is named in tables of routes, with its path as OpenAPI (`{id}`) or as the router (`:id`) writes it. */
export function routeKey(method: string, path: string): string {
  return `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`;
}

/** The route of the API that a request has met; not the console's page for every other path. */
export function findRoute(c: HonoContext<AppEnv>) {
  return matchedRoutes(c).find((route) => route.method !== 'ALL' && route.path !== '/*');
}

export interface AppEnv {
  Variables: { caller: Caller; reach: Reach; expected: Expected; requestId: string };
}

/** A router whose request validation ends as our own coded error. */
export function createRouter() {
  return new OpenAPIHono<AppEnv>({
    defaultHook: (result) => {
      if (result.success) return;
      const errors = toFieldErrors(result.error.issues);
      throw new AppError('invalid_request', inOneLine(errors), { errors });
    },
  });
}

/** A field that is not known is refused by name: whoever misspells one is told, instead of being ignored. */
export function jsonBody<S extends z.ZodType>(schema: S) {
  const closed = schema instanceof z.ZodObject ? (schema.strict() as unknown as S) : schema;
  return { body: { content: { 'application/json': { schema: closed } }, required: true } };
}

export function answer<S extends z.ZodType>(description: string, schema: S) {
  return { description, content: { 'application/json': { schema } } };
}

const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string(),
    detail: z.string(),
    errors: z.array(fieldErrorSchema).optional(),
  })
  .openapi('Problem');

/**
 * Every route's other answers: RFC 9457 problems, told apart by `code`. They are thrown, never returned, so the typed client need
 * not see them: its types are those of the good answers.
 */
export const problems: Record<never, never> = {
  default: { description: 'Problem', content: { 'application/problem+json': { schema: problem } } },
};

/** A whole number in an address. To JavaScript an empty text, spaces, "0x10" and "1e2" would be numbers as well. */
export function wholeNumber(minimum: number, maximum = Number.MAX_SAFE_INTEGER) {
  return z
    .string()
    .regex(/^-?\d{1,16}$/, 'must be a whole number in decimal digits')
    .transform(Number)
    .pipe(z.int().min(minimum).max(maximum))
    .openapi({ type: 'integer', minimum, maximum });
}
/** SHA-256 as hexadecimal digits. */
export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/);

/** A moment in an address: RFC 3339, with its offset. */
export const moment = z.iso.datetime({ offset: true });

const offset = wholeNumber(0).default(0);
const limit = wholeNumber(1, 1000);
const cursor = z.string().max(2000).optional().openapi({
  description:
    'The `next` of the page before: what comes behind it, whatever has come or gone meanwhile. Not beside an offset',
});
/** With `limit` a list pages ({items, total, next}); without, it is the whole array as first published. */
export const paging = z.object({ limit: limit.optional(), offset, cursor });
/** Of a list that always pages. */
export const alwaysPaging = z.object({ limit: limit.default(50), offset, cursor });

/** `more`: there are more than `total`, which long lists count to ten thousand behind the page only. */
export const totalFields = {
  total: z.int(),
  more: z.literal(true).optional(),
  /** The cursor of the next page; null: this is the last. */
  next: z.string().nullable(),
};

export function page<S extends z.ZodType>(item: S) {
  return z.object({ items: z.array(item), ...totalFields });
}

export function listOrPage<S extends z.ZodType>(item: S) {
  return z.union([z.array(item), page(item)]);
}
