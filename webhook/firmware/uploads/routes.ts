import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from '../../context.ts';
import { access, answer, createRouter, jsonBody, problems, sha256Schema } from '../../http.ts';
import { fileName, version } from '../fields.ts';
import { ensureNew } from '../firmware.ts';
import { maxFirmwareBytes } from '../image.ts';
import * as uploads from './uploads.ts';

const id = z.object({ id: z.uuid() });
const uploadSchema = z
  .object({
    id: z.uuid(),
    version: z.string(),
    fileName: z.string(),
    sizeBytes: z.int(),
    sha256: z.string(),
    /** To register it with, once it is complete. */
    s3Path: z.string(),
    /** Of every part but the last, which has the rest. */
    partBytes: z.int(),
    /** How many parts the file has; the first is 1. */
    parts: z.int(),
    /** Those that the store has. */
    stored: z.array(z.int()),
    completed: z.boolean(),
    createdAt: z.string(),
    /** Then it is given up, with all that the store has of it. */
    expiresAt: z.string(),
  })
  .openapi('Upload');
const partSchema = z.object({
  number: z.int(),
  /** Where in the file it begins. */
  offset: z.int(),
  sizeBytes: z.int(),
  url: z.string(),
});

const begin = createRoute({
  method: 'post',
  path: '/api/uploads',
  ...access('operator', 'fleet'),
  summary: 'Begin an upload in parts, or go on with the one that you have begun with the same file',
  description:
    'Parts are put to the store at presigned addresses, in any order and as often as needed; a part that is `stored` need not be sent again. Once complete, the file is registered by ' +
    '`POST /api/firmwares/metadata` with its `s3Path`, which refuses other bytes than were announced here (`upload_differs`).',
  request: jsonBody(
    z.object({ version, fileName, sizeBytes: z.int().min(1).max(maxFirmwareBytes), sha256: sha256Schema }),
  ),
  responses: { 200: answer('The upload', uploadSchema), ...problems },
});
const get = createRoute({
  method: 'get',
  path: '/api/uploads/{id}',
  ...access('operator', 'fleet'),
  summary: 'One of your uploads, and which parts the store has',
  request: { params: id },
  responses: { 200: answer('The upload', uploadSchema), ...problems },
});
const presign = createRoute({
  method: 'post',
  path: '/api/uploads/{id}/parts',
  ...access('operator', 'fleet'),
  summary: 'Where to PUT these parts, each with exactly its number of bytes',
  request: {
    params: id,
    ...jsonBody(z.object({ numbers: z.array(z.int().min(1).max(10_000)).min(1).max(100) })),
  },
  responses: {
    200: answer('Presigned PUTs', z.object({ parts: z.array(partSchema), expiresAt: z.string() })),
    ...problems,
  },
});
const complete = createRoute({
  method: 'post',
  path: '/api/uploads/{id}/complete',
  ...access('operator', 'fleet'),
  summary: 'Have the store make one object of the parts',
  description: 'Refused with 409 `upload_incomplete` while parts are `missing`.',
  request: { params: id },
  responses: { 200: answer('The upload', uploadSchema), ...problems },
});
const abort = createRoute({
  method: 'delete',
  path: '/api/uploads/{id}',
  ...access('operator', 'fleet'),
  summary: 'Give an upload up: what the store has of it goes',
  request: { params: id },
  responses: { 204: { description: 'Gone' }, ...problems },
});

export function uploadRoutes(context: Context) {
  const present = (upload: uploads.Upload, stored: number[]) => {
    const { createdAt, completedAt, uploadId: _, createdBy: __, ...rest } = upload;
    return {
      ...rest,
      partBytes: uploads.partBytes,
      parts: uploads.partsOf(upload),
      stored,
      completed: completedAt !== null,
      createdAt: createdAt.toISOString(),
      expiresAt: uploads.expiryOf(upload).toISOString(),
    };
  };
  const look = async (upload: uploads.Upload) => present(upload, await uploads.listStored(context, upload));
  const find = (id: string, actor: string) => uploads.get(context.db, id, actor);
  return createRouter()
    .openapi(begin, async (c) => {
      const file = c.req.valid('json');
      await ensureNew(context.db, file);
      const { upload, stored } = await uploads.begin(context, file, c.get('caller').name);
      return c.json(present(upload, stored), 200);
    })
    .openapi(get, async (c) =>
      c.json(await look(await find(c.req.valid('param').id, c.get('caller').name)), 200),
    )
    .openapi(presign, async (c) => {
      const upload = await find(c.req.valid('param').id, c.get('caller').name);
      const parts = await uploads.presignParts(context, upload, c.req.valid('json').numbers);
      return c.json({ parts, expiresAt: uploads.partsExpireAt().toISOString() }, 200);
    })
    .openapi(complete, async (c) => {
      const upload = await find(c.req.valid('param').id, c.get('caller').name);
      return c.json(await look(await uploads.complete(context, upload)), 200);
    })
    .openapi(abort, async (c) => {
      await uploads.abort(context, await find(c.req.valid('param').id, c.get('caller').name));
      return c.body(null, 204);
    });
}
