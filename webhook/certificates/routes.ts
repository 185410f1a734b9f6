import { createRoute, z } from '@hono/zod-openapi';
import { requireCaller } from '../auth/session.ts';
import type { Context } from '../context.ts';
import { AppError } from '../errors.ts';
import { access, answer, createRouter, jsonBody, problems } from '../http.ts';
import { createToken, redeemToken } from './certificates.ts';

const issueCert = createRoute({
  method: 'post',
  path: '/api/issue_cert',
  ...access('anyone'),
  summary: 'A certificate for a CSR, by a one-time token (Authorization: Bearer)',
  request: jsonBody(z.object({ csr: z.string().min(1).max(16_384) })),
  responses: {
    200: answer(
      'PEM: the leaf, and the chain up to (without) the root',
      z.object({ serial: z.string(), certificate: z.string(), chain: z.string(), notAfter: z.string() }),
    ),
    ...problems,
  },
});
const newToken = createRoute({
  method: 'post',
  path: '/api/certificates/tokens',
  ...access('admin'),
  summary: 'A one-time token for issue_cert, bound to a profile and a name',
  request: jsonBody(
    z.object({
      profile: z.enum(['device', 'broker', 'service']).default('device'),
      commonName: z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/),
      names: z.array(z.string().min(1).max(253)).max(32).default([]),
      lifetimeMs: z
        .int()
        .min(1000)
        .max(30 * 24 * 3600_000)
        .default(24 * 3600_000),
    }),
  ),
  responses: {
    201: answer('Shown this once', z.object({ token: z.string(), expiresAt: z.string() })),
    ...problems,
  },
});

export function certificateRoutes(context: Context) {
  const router = createRouter();
  router.use('/api/certificates/*', requireCaller(context));
  return router
    .openapi(issueCert, async (c) => {
      const token = /^Bearer (.+)$/.exec(c.req.header('authorization') ?? '')?.[1];
      if (!token)
        throw new AppError('token_invalid', 'A one-time token is needed (Authorization: Bearer …).');
      return c.json(await redeemToken(context, token, c.req.valid('json').csr), 200);
    })
    .openapi(newToken, async (c) => {
      const { token, expiresAt } = await createToken(context.db, c.req.valid('json'), c.get('caller').name);
      return c.json({ token, expiresAt: expiresAt.toISOString() }, 201);
    });
}
