import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from '../context.ts';
import { access, alwaysPaging, answer, createRouter, jsonBody, page, problems } from '../http.ts';
import { packageFilter } from '../sbom/routes.ts';
import { findFirmwares } from '../sbom/sbom.ts';
import { importFeed, maxAdvisories } from './advisories.ts';
import { sign } from './evidence.ts';
import { listDevices } from './exposure.ts';
import { vexJustifications, vexStatuses, vulnerabilityName } from './vex.ts';
import * as vulnerabilities from './vulnerabilities.ts';

const byName = { params: z.object({ id: vulnerabilityName }) };
const base = '/api/vulnerabilities';
const status = z.enum(vexStatuses);
const justification = z.enum(vexJustifications).nullable();

const summarySchema = z
  .object({
    vulnerability: z.string(),
    summary: z.string(),
    severity: z.string().nullable(),
    packages: z.array(z.string()),
    firmwares: z.int(),
    devices: z.int(),
    statuses: z.record(z.string(), z.int()),
  })
  .openapi('VulnerabilitySummary');
const findingSchema = z
  .object({
    vulnerability: z.string(),
    firmwareId: z.uuid(),
    firmware: z.string(),
    firmwareVersion: z.string(),
    hardware: z.string(),
    package: z.string(),
    version: z.string(),
    fixedIn: z.string().nullable(),
    status: status.nullable(),
    justification,
    note: z.string().nullable(),
    author: z.string().nullable(),
  })
  .openapi('VulnerabilityFinding');
const detailSchema = z
  .object({
    vulnerability: z.string(),
    advisories: z.array(
      z.object({
        id: z.string(),
        aliases: z.array(z.string()),
        summary: z.string(),
        details: z.string(),
        severity: z.string().nullable(),
        references: z.array(z.string()),
        publishedAt: z.string().nullable(),
        modifiedAt: z.string(),
      }),
    ),
    findings: z.array(findingSchema.extend({ devices: z.int() })),
    statements: z.array(
      z.object({
        firmwareId: z.uuid().nullable(),
        status,
        justification,
        note: z.string(),
        author: z.string(),
        createdBy: z.string(),
        createdAt: z.string(),
      }),
    ),
  })
  .openapi('Vulnerability');
const deviceSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    region: z.string().nullable(),
    component: z.string(),
    version: z.string(),
    firmwareId: z.uuid(),
    online: z.boolean(),
    reportedAt: z.string(),
  })
  .openapi('ExposedDevice');

const list = createRoute({
  method: 'get',
  path: base,
  ...access('viewer', 'devices'),
  summary: 'Vulnerabilities of the firmwares whose SBOM is known, what concerns most devices first',
  request: {
    query: alwaysPaging.extend({
      state: z.enum(['open', 'all']).default('open'),
      search: z.string().max(100).optional(),
    }),
  },
  responses: { 200: answer('A page', page(summarySchema)), ...problems },
});
const get = createRoute({
  method: 'get',
  path: `${base}/{id}`,
  ...access('viewer', 'devices'),
  summary: 'One vulnerability: what feeds say, which firmwares have it, and what was judged of it',
  request: byName,
  responses: { 200: answer('The vulnerability', detailSchema), ...problems },
});
const devices = createRoute({
  method: 'get',
  path: `${base}/{id}/devices`,
  ...access('viewer', 'devices'),
  summary:
    'Devices that attest an image with it, by id; those of firmwares judged not affected or fixed are left out',
  request: { ...byName, query: alwaysPaging },
  responses: { 200: answer('A page', page(deviceSchema)), ...problems },
});
const state = createRoute({
  method: 'post',
  path: `${base}/{id}/statements`,
  ...access('operator', 'fleet'),
  summary:
    'Judge a vulnerability (VEX), in one firmware or in all; the newest statement holds, one of a firmware before one of all',
  request: {
    ...byName,
    ...jsonBody(
      z
        .strictObject({
          firmwareId: z.uuid().nullable(),
          status,
          justification: justification.default(null),
          note: z.string().trim().max(2_000).default(''),
        })
        .refine((one) => one.status !== 'not_affected' || one.justification !== null || one.note !== '', {
          path: ['justification'],
          message: 'not_affected needs a justification or a note',
        })
        .refine((one) => one.status === 'not_affected' || one.justification === null, {
          path: ['justification'],
          message: 'goes with not_affected alone',
        }),
    ),
  },
  responses: { 204: { description: 'Stated' }, ...problems },
});
const feed = createRoute({
  method: 'post',
  path: `${base}/feed`,
  ...access('operator', 'fleet'),
  summary: 'Bring in advisories (OSV); those that are there as new or newer stay, withdrawn ones go',
  request: jsonBody(z.object({ advisories: z.array(z.unknown()).min(1).max(maxAdvisories) })),
  responses: {
    200: answer(
      'What became of them',
      z.object({ imported: z.int(), unchanged: z.int(), withdrawn: z.int() }),
    ),
    ...problems,
  },
});
const vex = createRoute({
  method: 'post',
  path: '/api/firmware/{id}/vex',
  ...access('operator', 'fleet'),
  summary: 'Bring in what somebody has judged of a firmware: OpenVEX or CycloneDX VEX, as JSON',
  request: {
    params: z.object({ id: z.uuid() }),
    body: {
      content: { 'application/octet-stream': { schema: z.string().openapi({ format: 'binary' }) } },
      required: true,
    },
  },
  responses: {
    200: answer('How many statements were taken', z.object({ statements: z.int() })),
    ...problems,
  },
});
const ofFirmware = createRoute({
  method: 'get',
  path: '/api/firmware/{id}/vulnerabilities',
  ...access('viewer', 'everybody'),
  summary: 'What a firmware has, by its SBOM',
  request: { params: z.object({ id: z.uuid() }) },
  responses: { 200: answer('All findings', z.array(findingSchema)), ...problems },
});
const evidence = createRoute({
  method: 'post',
  path: `${base}/{id}/evidence`,
  ...access('operator', 'fleet'),
  summary:
    'A signed file: which devices had an image with it from when to when, who made and rolled it out, what was judged, and when it was gone',
  request: byName,
  responses: {
    200: answer(
      '`evidence` is the text of a JSON object; the CA signs its SHA-256',
      z.object({
        evidence: z.string(),
        sha256: z.string(),
        signedAt: z.string(),
        signature: z.string(),
        issuing: z.string(),
      }),
    ),
    ...problems,
  },
});
const packageDevices = createRoute({
  method: 'get',
  path: '/api/packages/devices',
  ...access('viewer', 'devices'),
  summary:
    'Devices that attest an image with a package, by its name or package URL, below a version if one is given',
  request: { query: alwaysPaging.extend(packageFilter) },
  responses: { 200: answer('A page', page(deviceSchema)), ...problems },
});

export function vulnerabilityRoutes(context: Context) {
  const { db } = context;
  return createRouter()
    .openapi(list, async (c) =>
      c.json(await vulnerabilities.list(db, c.get('reach'), c.req.valid('query')), 200),
    )
    .openapi(feed, async (c) =>
      c.json(await importFeed(context, c.req.valid('json').advisories, c.get('caller').name), 200),
    )
    .openapi(get, async (c) => {
      const { id } = c.req.valid('param');
      const [told, findings, statements] = await Promise.all([
        vulnerabilities.getAdvisories(db, id),
        vulnerabilities.listFindings(db, c.get('reach'), id),
        vulnerabilities.listStatements(db, id),
      ]);
      return c.json(
        {
          vulnerability: id,
          advisories: told.map(({ importedAt: _, vulnerability: __, publishedAt, modifiedAt, ...rest }) => ({
            ...rest,
            publishedAt: publishedAt?.toISOString() ?? null,
            modifiedAt: modifiedAt.toISOString(),
          })),
          findings,
          statements: statements.map(({ id: _, vulnerability: __, createdAt, ...rest }) => ({
            ...rest,
            createdAt: createdAt.toISOString(),
          })),
        },
        200,
      );
    })
    .openapi(devices, async (c) => {
      const open = await vulnerabilities.listOpenFirmwares(db, c.req.valid('param').id);
      return c.json(await listDevices(db, c.get('reach'), open, c.req.valid('query')), 200);
    })
    .openapi(state, async (c) => {
      const statement = { vulnerability: c.req.valid('param').id, ...c.req.valid('json') };
      await vulnerabilities.state(context, statement, c.get('caller').name);
      return c.body(null, 204);
    })
    .openapi(vex, async (c) => {
      const source = await c.req.text();
      const { id } = c.req.valid('param');
      const statements = await vulnerabilities.importVex(context, id, source, c.get('caller').name);
      return c.json({ statements }, 200);
    })
    .openapi(ofFirmware, async (c) =>
      c.json(await vulnerabilities.listForFirmware(db, c.req.valid('param').id), 200),
    )
    .openapi(evidence, async (c) =>
      c.json(await sign(context, c.req.valid('param').id, c.get('caller').name), 200),
    )
    .openapi(packageDevices, async (c) => {
      const { name, below, ...paging } = c.req.valid('query');
      const found = await findFirmwares(db, { name, below });
      const ids = [...new Set(found.map(({ firmwareId }) => firmwareId))];
      return c.json(await listDevices(db, c.get('reach'), ids, paging), 200);
    });
}
