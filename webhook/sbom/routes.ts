import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from '../context.ts';
import { access, alwaysPaging, answer, createRouter, ifMatch, page, problems } from '../http.ts';
import { sbomFormats } from './document.ts';
import * as sbom from './sbom.ts';

const byId = { params: z.object({ id: z.uuid() }) };
export const packageFilter = {
  name: z.string().min(1).max(300),
  below: z.string().min(1).max(100).optional(),
};

const sbomSchema = z
  .object({
    firmwareId: z.uuid(),
    format: z.enum(sbomFormats),
    specVersion: z.string(),
    sha256: z.string(),
    sizeBytes: z.int(),
    packages: z.int(),
    unversioned: z.int(),
    badPurls: z.int(),
    /** The firmware's signed manifest names this document's digest. */
    signed: z.boolean(),
    uploadedBy: z.string(),
    uploadedAt: z.string(),
  })
  .openapi('Sbom');
const packageSchema = z
  .object({
    name: z.string(),
    version: z.string().nullable(),
    purl: z.string().nullable(),
    cpe: z.string().nullable(),
  })
  .openapi('Package');

const put = createRoute({
  method: 'put',
  path: '/api/firmware/{id}/sbom',
  ...access('operator', 'fleet'),
  ...ifMatch,
  summary:
    'Bring in the SBOM of a firmware: CycloneDX or SPDX as JSON, or SPDX as tag-value; it takes the place of the one before',
  description: `At most ${sbom.maxSbomBytes} bytes (\`body_too_large\`); \`sbom_invalid\` says what cannot be read.`,
  request: {
    ...byId,
    body: {
      content: { 'application/octet-stream': { schema: z.string().openapi({ format: 'binary' }) } },
      required: true,
    },
  },
  responses: { 200: answer('What it says', sbomSchema), ...problems },
});
const get = createRoute({
  method: 'get',
  path: '/api/firmware/{id}/sbom',
  ...access('viewer', 'everybody'),
  summary: 'What the SBOM of a firmware says',
  request: byId,
  responses: { 200: answer('The SBOM; null: it has none', sbomSchema.nullable()), ...problems },
});
const download = createRoute({
  method: 'get',
  path: '/api/firmware/{id}/sbom/document',
  ...access('viewer', 'everybody'),
  summary: 'A URL that downloads the SBOM as it was brought in',
  request: byId,
  responses: {
    200: answer('A presigned GET', z.object({ url: z.string(), expiresAt: z.string() })),
    ...problems,
  },
});
const packages = createRoute({
  method: 'get',
  path: '/api/firmware/{id}/packages',
  ...access('viewer', 'everybody'),
  summary: 'What a firmware is made of, by name',
  request: { ...byId, query: alwaysPaging },
  responses: { 200: answer('A page', page(packageSchema)), ...problems },
});
const search = createRoute({
  method: 'get',
  path: '/api/packages',
  ...access('viewer', 'everybody'),
  summary: 'Packages of all firmwares, by name and version',
  request: { query: alwaysPaging.extend({ search: z.string().max(100).optional() }) },
  responses: {
    200: answer(
      'A page',
      page(z.object({ name: z.string(), version: z.string().nullable(), firmwares: z.int() })),
    ),
    ...problems,
  },
});

export function sbomRoutes(context: Context) {
  const { db } = context;
  return createRouter()
    .openapi(put, async (c) => {
      const content = new Uint8Array(await c.req.arrayBuffer());
      const { caller, expected } = c.var;
      const { id } = c.req.valid('param');
      const view = await sbom.attach(context, id, content, caller.name, expected);
      return c.json(present(view), 200);
    })
    .openapi(get, async (c) => {
      const found = await sbom.find(db, c.req.valid('param').id);
      return c.json(found && present(found), 200);
    })
    .openapi(download, async (c) => {
      const { url, expiresAt } = await sbom.presignDocument(context, c.req.valid('param').id);
      return c.json({ url, expiresAt: expiresAt.toISOString() }, 200);
    })
    .openapi(packages, async (c) =>
      c.json(await sbom.listPackages(db, c.req.valid('param').id, c.req.valid('query')), 200),
    )
    .openapi(search, async (c) => c.json(await sbom.search(db, c.req.valid('query')), 200));
}

function present({ s3Path: _, uploadedAt, ...rest }: sbom.SbomView) {
  return { ...rest, uploadedAt: uploadedAt.toISOString() };
}
