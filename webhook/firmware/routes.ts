import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from '../context.ts';
import { deploymentSchema } from '../deployments/schema.ts';
import { listForFirmware, present as presentDeployment } from '../deployments/views.ts';
import { countRunning } from '../devices/tallies.ts';
import { AppError } from '../errors.ts';
import {
  access,
  answer,
  createRouter,
  ifMatch,
  jsonBody,
  listOrPage,
  paging,
  problems,
  revision,
  sha256Schema,
} from '../http.ts';
import { fileName, version } from './fields.ts';
import * as firmware from './firmware.ts';
import { presignedPutSchema } from './presigned-put.ts';

const hardware = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
const component = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,31}$/);

export const firmwareSchema = z
  .object({
    id: z.uuid(),
    name: z.string(),
    version: z.string(),
    fileName: z.string(),
    author: z.string(),
    hardware: z.string(),
    component: z.string(),
    securityVersion: z.int(),
    releaseNote: z.string(),
    s3Path: z.string(),
    sizeBytes: z.int(),
    sha256: z.string(),
    signed: z.boolean(),
    /** It is kept encrypted only, and cannot be downloaded here. */
    sealed: z.boolean(),
    createdAt: z.string(),
    updatedAt: z.string(),
    revision,
  })
  .openapi('Firmware');

const upload = createRoute({
  method: 'post',
  path: '/api/s3/presigned_upload',
  ...access('operator', 'fleet'),
  summary: 'Step 1: where to PUT the file, and with which headers; `POST /api/uploads` takes it in parts',
  request: jsonBody(
    z.object({
      version,
      fileName,
      sha256: sha256Schema.optional(),
    }),
  ),
  responses: {
    200: answer('A presigned PUT; the headers are signed and must be sent as they are', presignedPutSchema),
    ...problems,
  },
});
const register = createRoute({
  method: 'post',
  path: '/api/firmwares/metadata',
  ...access('operator', 'fleet'),
  summary: 'Step 3: register the uploaded file',
  description:
    'Reads what the image says of itself (ESP-IDF application, MCUboot, Intel HEX, AVR program). Refused with 422: ' +
    '`image_not_firmware` (PNG, JPEG, GIF, ZIP, ELF, PDF), `image_version_differs` (the image names another version), ' +
    '`image_chip_differs` (the name of the hardware begins with another chip), `image_is_hex` (Intel HEX for an `arduino-uno`, which ' +
    'takes a binary), `image_hex_damaged` (a line of it is wrong, or its end is missing), `object_missing`, ' +
    '`object_empty`, `object_too_large` (over 256 MiB), `upload_differs` (not what was announced to `POST /api/uploads`; begin again). A binary that says nothing of itself is registered as it is.',
  request: jsonBody(
    z.object({
      version,
      fileName,
      releaseNote: z.string().max(10_000),
      s3Path: z.string().max(400),
      name: z.string().trim().min(1).max(100).optional(),
      author: z.string().trim().min(1).max(254).optional(),
      hardware: hardware.optional().openapi({
        description: 'Left out: what the image says that it is for, else esp32-s3',
      }),
      component: component.default('main'),
      securityVersion: z
        .int()
        .min(0)
        .max(2 ** 31 - 1)
        .optional()
        .openapi({ description: 'Left out: what an ESP-IDF image says (secure_version), else 0' }),
    }),
  ),
  responses: { 201: answer('The firmware', firmwareSchema), ...problems },
});
const list = createRoute({
  method: 'get',
  path: '/api/firmwares/metadata',
  ...access('viewer', 'everybody'),
  summary: 'Firmwares, newest first',
  request: { query: paging.extend({ search: z.string().max(100).optional() }) },
  responses: {
    200: answer('All, or a page with its total when `limit` is given', listOrPage(firmwareSchema)),
    ...problems,
  },
});
const get = createRoute({
  method: 'get',
  path: '/api/firmware/{id}',
  ...access('viewer', 'devices'),
  summary: 'One firmware, where it runs and its deployments',
  request: { params: z.object({ id: z.uuid() }) },
  responses: {
    200: answer(
      'The firmware',
      firmwareSchema.extend({ runningOn: z.int(), deployments: z.array(deploymentSchema) }),
    ),
    ...problems,
  },
});
const download = createRoute({
  method: 'get',
  path: '/api/s3/presigned_download',
  ...access('viewer', 'everybody'),
  summary: 'A URL that downloads the file',
  request: { query: z.object({ version, fileName }) },
  responses: {
    200: answer('A presigned GET', z.object({ url: z.string(), expiresAt: z.string() })),
    ...problems,
  },
});
const attach = createRoute({
  method: 'put',
  path: '/api/firmware/{id}/manifest',
  ...access('operator', 'fleet'),
  ...ifMatch,
  summary: 'Bring in a manifest that was signed elsewhere (compact JWS, ES256)',
  request: {
    params: z.object({ id: z.uuid() }),
    ...jsonBody(z.object({ manifest: z.string().min(1).max(2048) })),
  },
  responses: { 200: answer('The firmware', firmwareSchema), ...problems },
});

export function firmwareRoutes(context: Context) {
  const router = createRouter();
  return router
    .openapi(upload, async (c) => {
      const { expiresAt, ...rest } = await firmware.presignUpload(context, c.req.valid('json'));
      return c.json({ ...rest, expiresAt: expiresAt.toISOString() }, 200);
    })
    .openapi(register, async (c) => {
      const input = c.req.valid('json');
      const actor = c.get('caller').name;
      const row = await firmware.register(
        context,
        { ...input, name: input.name ?? input.fileName, author: input.author ?? actor },
        actor,
      );
      return c.json(present(row), 201);
    })
    .openapi(list, async (c) => {
      const query = c.req.valid('query');
      const { items, ...rest } = await firmware.list(context.db, query);
      const shown = items.map(present);
      return c.json(query.limit ? { items: shown, ...rest } : shown, 200);
    })
    .openapi(get, async (c) => {
      const row = await firmware.get(context.db, c.req.valid('param').id);
      const [runningOn, deployments] = await Promise.all([
        countRunning(context.db, c.get('reach'), row.component, row.sha256),
        listForFirmware(context.db, c.get('reach'), row.id),
      ]);
      return c.json({ ...present(row), runningOn, deployments: deployments.map(presentDeployment) }, 200);
    })
    .openapi(download, async (c) => {
      const { version, fileName } = c.req.valid('query');
      const row = await firmware.findByFile(context.db, version, fileName);
      if (!row) throw new AppError('not_found', 'There is no such firmware.');
      if (row.sealed)
        throw new AppError(
          'firmware_sealed',
          'This firmware is kept encrypted: there is no address that it could be downloaded from.',
        );
      const { url, expiresAt } = await context.objects.presignDownload(row.s3Path, row.fileName);
      return c.json({ url, expiresAt: expiresAt.toISOString() }, 200);
    })
    .openapi(attach, async (c) => {
      const { id } = c.req.valid('param');
      const row = await firmware.attachManifest(
        context,
        id,
        c.req.valid('json').manifest,
        c.get('caller').name,
        c.get('expected'),
      );
      return c.json(present(row), 200);
    });
}

function present(row: firmware.Firmware) {
  const { manifest, createdAt, updatedAt, ...rest } = row;
  return {
    ...rest,
    signed: manifest !== null,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}
