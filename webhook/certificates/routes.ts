import { createRoute, z } from '@hono/zod-openapi';
import { type RevocationReason, revocationReasons } from '#ca/client.ts';
import { deviceIdSchema } from '#emqx/protocol.ts';
import type { Context } from '../context.ts';
import { AppError } from '../errors.ts';
import { access, alwaysPaging, answer, createRouter, jsonBody, problems, wholeNumber } from '../http.ts';
import * as bans from './blocked-ban.ts';
import { renewBroker } from './broker-renewal.ts';
import { createGrant, createToken, readRoot, redeemToken } from './certificates.ts';
import { crlName, readCrl } from './crl.ts';
import * as inventory from './inventory.ts';
import { register } from './registration.ts';
import { revoke } from './revocation.ts';

const issueCert = createRoute({
  method: 'post',
  path: '/api/issue_cert',
  ...access('anyone', 'everybody'),
  summary:
    'A certificate for a CSR, by a one-time token (Authorization: Bearer); a broker renews by its key instead',
  request: jsonBody(
    z.object({
      csr: z.string().min(1).max(16_384),
      renews: z
        .string()
        .regex(/^[0-9A-F]{2,40}$/)
        .optional()
        .openapi({ description: "Serial of the broker's certificate whose key has signed the CSR" }),
    }),
  ),
  responses: {
    200: answer(
      'PEM: the leaf, the chain up to (without) the root, and the root that broker and store are verified against',
      z.object({
        serial: z.string(),
        certificate: z.string(),
        chain: z.string(),
        root: z.string(),
        notAfter: z.string(),
      }),
    ),
    ...problems,
  },
});
const newToken = createRoute({
  method: 'post',
  path: '/api/certificates/tokens',
  ...access('admin', 'fleet'),
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

const serial = z
  .string()
  .regex(/^[0-9A-Fa-f]{2,40}$/)
  .transform((text) => text.toUpperCase());
const certificate = z
  .object({
    serial: z.string(),
    profile: z.enum(['device', 'broker', 'service']),
    commonName: z.string(),
    status: z.enum(inventory.statuses),
    notBefore: z.string(),
    notAfter: z.string(),
    issuedAt: z.string(),
    firstSeenAt: z.string().nullable(),
    renewableFrom: z.string(),
    revocation: z
      .object({ at: z.string(), reason: z.string(), by: z.string(), inCrl: z.boolean() })
      .nullable(),
  })
  .openapi('Certificate');
const details = certificate.extend({ certificate: z.string(), chain: z.string() });
const reasons = Object.keys(revocationReasons) as [RevocationReason, ...RevocationReason[]];

const listCertificates = createRoute({
  method: 'get',
  path: '/api/certificates',
  ...access('viewer', 'devices'),
  summary: 'Certificates, the newest first; by expiry, the most urgent first',
  request: {
    query: alwaysPaging.extend({
      search: z.string().max(100).optional(),
      commonName: z.string().max(64).optional(),
      profile: z.enum(['device', 'broker', 'service']).optional(),
      status: z.enum(inventory.statuses).optional(),
      expiresWithinDays: wholeNumber(1, 3650).optional(),
    }),
  },
  responses: {
    200: answer('A page', z.object({ items: z.array(certificate), total: z.int() })),
    ...problems,
  },
});
const expiring = createRoute({
  method: 'get',
  path: '/api/certificates/expiring',
  ...access('viewer', 'devices'),
  summary:
    'Devices whose certificate ends soon or has ended, by days left: counts at 30, 14 and 3, and a page',
  request: { query: alwaysPaging.extend({ days: wholeNumber(0, 3650).default(30) }) },
  responses: {
    200: answer(
      'The counts do not depend on `days`',
      z.object({
        counts: z.object({
          within30Days: z.int(),
          within14Days: z.int(),
          within3Days: z.int(),
          expired: z.int(),
        }),
        items: z.array(z.object({ device: z.string(), serial: z.string(), notAfter: z.string() })),
        total: z.int(),
      }),
    ),
    ...problems,
  },
});
const getCertificate = createRoute({
  method: 'get',
  path: '/api/certificates/{serial}',
  ...access('viewer', 'devices'),
  summary: 'One certificate, with its PEM',
  request: { params: z.object({ serial }) },
  responses: { 200: answer('The certificate', details), ...problems },
});
const registerCertificate = createRoute({
  method: 'post',
  path: '/api/certificates',
  ...access('admin', 'fleet'),
  summary: "Make a device's certificate known that our CA issued without this API (factory provisioning)",
  request: jsonBody(z.object({ certificate: z.string().min(1).max(16_384) })),
  responses: {
    201: answer('It is known, as it may have been before', z.object({ serial: z.string() })),
    ...problems,
  },
});
const revokeCertificate = createRoute({
  method: 'post',
  path: '/api/certificates/{serial}/revoke',
  ...access('admin', 'devices'),
  summary:
    'Revoke one certificate: who is connected with it is disconnected; its device may come back with another',
  request: {
    params: z.object({ serial }),
    ...jsonBody(z.object({ reason: z.enum(reasons).default('unspecified') })),
  },
  responses: { 200: answer('`inCrl` follows once the CA has it', details), ...problems },
});
const newGrant = createRoute({
  method: 'post',
  path: '/api/certificates/grants',
  ...access('admin', 'devices'),
  summary: 'A one-time token for a device whose certificate has expired: for a CSR by the key that it had',
  request: jsonBody(
    z.object({
      device: deviceIdSchema,
      lifetimeMs: z
        .int()
        .min(1000)
        .max(30 * 24 * 3600_000)
        .default(7 * 24 * 3600_000),
    }),
  ),
  responses: {
    201: answer(
      'Shown this once; `serial` is the certificate whose key counts',
      z.object({ token: z.string(), expiresAt: z.string(), serial: z.string() }),
    ),
    ...problems,
  },
});
const banSchema = z
  .object({ device: z.string(), reason: z.string(), bannedBy: z.string(), bannedAt: z.string() })
  .openapi('Ban');
const listBans = createRoute({
  method: 'get',
  path: '/api/bans',
  ...access('viewer', 'devices'),
  summary: 'Banned devices, the newest first',
  responses: { 200: answer('All', z.array(banSchema)), ...problems },
});
const newBan = createRoute({
  method: 'post',
  path: '/api/bans',
  ...access('admin', 'devices'),
  summary: 'Ban a whole device, whatever its certificate',
  request: jsonBody(z.object({ device: deviceIdSchema, reason: z.string().trim().max(500).default('') })),
  responses: { 201: answer('The ban', banSchema), ...problems },
});
const liftBan = createRoute({
  method: 'delete',
  path: '/api/bans/{device}',
  ...access('admin', 'devices'),
  summary: 'Let a banned device come back',
  request: { params: z.object({ device: deviceIdSchema }) },
  responses: { 204: { description: 'Lifted' }, ...problems },
});

export function certificateRoutes(context: Context) {
  const router = createRouter();
  const { db } = context;
  // Public, as a CRL is: an http address for brokers that cannot read the file store.
  router.get('/crl/:name', async (c) => {
    const name = c.req.param('name');
    if (!crlName.test(name)) throw new AppError('not_found', 'There is no such CRL.');
    return c.body(await readCrl(context, name), 200, {
      'Content-Type': 'application/x-pem-file',
      'Cache-Control': 'max-age=60',
    });
  });
  return router
    .openapi(issueCert, async (c) => {
      const { csr, renews } = c.req.valid('json');
      const root = await readRoot(context);
      if (renews) return c.json({ ...(await renewBroker(context, renews, csr)), root }, 200);
      const token = /^Bearer (.+)$/.exec(c.req.header('authorization') ?? '')?.[1];
      if (!token)
        throw new AppError('token_invalid', 'A one-time token is needed (Authorization: Bearer …).');
      return c.json({ ...(await redeemToken(context, token, csr)), root }, 200);
    })
    .openapi(newToken, async (c) => {
      const { token, expiresAt } = await createToken(context.db, c.req.valid('json'), c.get('caller').name);
      return c.json({ token, expiresAt: expiresAt.toISOString() }, 201);
    })
    .openapi(newGrant, async (c) => {
      const grant = await createGrant(db, c.get('reach'), c.req.valid('json'), c.get('caller').name);
      return c.json({ ...grant, expiresAt: grant.expiresAt.toISOString() }, 201);
    })
    .openapi(listCertificates, async (c) =>
      c.json(await inventory.list(db, c.get('reach'), c.req.valid('query')), 200),
    )
    .openapi(expiring, async (c) => {
      const [counts, found] = await Promise.all([
        inventory.countExpiring(db, c.get('reach')),
        inventory.listExpiring(db, c.get('reach'), c.req.valid('query')),
      ]);
      return c.json({ counts, ...found }, 200);
    })
    .openapi(getCertificate, async (c) =>
      c.json(await inventory.get(db, c.get('reach'), c.req.valid('param').serial), 200),
    )
    .openapi(registerCertificate, async (c) =>
      c.json(await register(context, c.req.valid('json').certificate, c.get('caller').name), 201),
    )
    .openapi(revokeCertificate, async (c) => {
      const { serial: of } = c.req.valid('param');
      await revoke(context, c.get('reach'), of, c.req.valid('json').reason, c.get('caller').name);
      return c.json(await inventory.get(db, c.get('reach'), of), 200);
    })
    .openapi(listBans, async (c) => c.json(await bans.list(db, c.get('reach')), 200))
    .openapi(newBan, async (c) => {
      const { device, reason } = c.req.valid('json');
      return c.json(await bans.ban(context, c.get('reach'), device, reason, c.get('caller').name), 201);
    })
    .openapi(liftBan, async (c) => {
      await bans.lift(context, c.get('reach'), c.req.valid('param').device, c.get('caller').name);
      return c.body(null, 204);
    });
}
