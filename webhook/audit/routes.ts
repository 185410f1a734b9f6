import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from '../context.ts';
import { access, alwaysPaging, answer, createRouter, moment, page, problems } from '../http.ts';
import * as audit from './audit.ts';
import { verifyLog } from './heads.ts';

const entrySchema = z
  .object({
    id: z.int(),
    at: z.string(),
    actor: z.string(),
    action: z.string(),
    subject: z.string(),
    detail: z.record(z.string(), z.unknown()).nullable(),
    hash: z.string().nullable(),
  })
  .openapi('AuditEntry');
const headSchema = z.object({ id: z.int(), hash: z.string() });

const list = createRoute({
  method: 'get',
  path: '/api/audit',
  ...access('admin', 'fleet'),
  summary: 'Who did what, newest first',
  request: {
    query: alwaysPaging.extend({
      actor: z.string().max(254).optional(),
      action: z.string().max(64).optional(),
      subject: z.string().max(100).optional(),
      from: moment.optional(),
      to: moment.optional(),
    }),
  },
  responses: { 200: answer('A page', page(entrySchema)), ...problems },
});
const verify = createRoute({
  method: 'get',
  path: '/api/audit/verification',
  ...access('admin', 'fleet'),
  summary: 'Whether the hash chain over all entries holds and contains the heads that the CA has signed',
  request: {
    query: z.object({
      /** A head of an earlier verification. */
      expect: z
        .string()
        .regex(/^\d{1,15}:[0-9a-f]{64}$/, 'must be <id>:<hash>')
        .optional(),
    }),
  },
  responses: {
    200: answer(
      'The verdict',
      z.object({
        valid: z.boolean(),
        entries: z.int(),
        /** Older than the chain, and held by its seal. */
        sealed: z.int(),
        head: headSchema.nullable(),
        /** The last head that the CA has signed, which the log was compared with; null before the first. */
        witnessed: headSchema.extend({ at: z.string() }).nullable(),
        broken: z.object({ id: z.int(), reason: z.string() }).nullable(),
      }),
    ),
    ...problems,
  },
});

export function auditRoutes(context: Context) {
  return createRouter()
    .openapi(list, async (c) => {
      const { from, to, ...query } = c.req.valid('query');
      const { items, total } = await audit.list(context.db, {
        ...query,
        from: from ? new Date(from) : undefined,
        to: to ? new Date(to) : undefined,
      });
      return c.json({ items: items.map((row) => ({ ...row, at: row.at.toISOString() })), total }, 200);
    })
    .openapi(verify, async (c) => {
      const [id, hash] = c.req.valid('query').expect?.split(':') ?? [];
      return c.json(await verifyLog(context, id && hash ? { id: Number(id), hash } : null), 200);
    });
}
