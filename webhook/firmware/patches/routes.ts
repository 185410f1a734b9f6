import { createRoute, z } from '@hono/zod-openapi';
import { patchSchema } from '#emqx/protocol.ts';
import type { Context } from '../../context.ts';
import { access, answer, createRouter, jsonBody, problems, sha256Schema } from '../../http.ts';
import * as signing from './signing.ts';
import { patchStates } from './table.ts';

const id = z.object({ id: z.uuid() });

const patchesSchema = z
  .object({
    /** Compact JWS of the image itself; null until it is signed. Sign a patch only for what this says. */
    manifest: z.string().nullable(),
    /** Of the image. */
    sizeBytes: z.int(),
    items: z.array(
      z.object({
        /** Digest of the image that it is applied to; null: it is the image, compressed. */
        base: z.string().nullable(),
        baseFirmware: z.object({ id: z.uuid(), name: z.string(), version: z.string() }).nullable(),
        /** `unsigned`: made, and not sent to any device before its manifest is here. `useless`: it would save too little. */
        state: z.enum(patchStates),
        sizeBytes: z.int().nullable(),
        sha256: z.string().nullable(),
        madeMs: z.int().nullable(),
        error: z.string().nullable(),
        /** The payload to sign; null until it is made. */
        claims: patchSchema.nullable(),
      }),
    ),
  })
  .openapi('Patches');

const list = createRoute({
  method: 'get',
  path: '/api/firmware/{id}/patches',
  ...access('viewer', 'everybody'),
  summary: 'Patches that make this firmware, and its compressed image; with what is signed for each',
  request: { params: id },
  responses: { 200: answer('In the order they were wanted', patchesSchema), ...problems },
});
const ask = createRoute({
  method: 'post',
  path: '/api/firmware/{id}/patches',
  ...access('operator', 'fleet'),
  summary:
    'Have patches made: from the named firmwares, else from what devices run; and the image compressed',
  request: { params: id, ...jsonBody(z.object({ from: z.array(z.uuid()).min(1).max(20).optional() })) },
  responses: { 202: answer('As they are now: `wanted` ones are being made', patchesSchema), ...problems },
});
const attach = createRoute({
  method: 'put',
  path: '/api/firmware/{id}/patches/manifest',
  ...access('operator', 'fleet'),
  summary: 'Bring in the manifest of a patch that was signed elsewhere (compact JWS, ES256)',
  request: {
    params: id,
    ...jsonBody(z.object({ base: sha256Schema.nullable(), manifest: z.string().min(1).max(2048) })),
  },
  responses: { 200: answer('As they are now', patchesSchema), ...problems },
});

export function patchRoutes(context: Context) {
  return createRouter()
    .openapi(list, async (c) => c.json(await signing.list(context, c.req.valid('param').id), 200))
    .openapi(ask, async (c) => {
      const { from } = c.req.valid('json');
      return c.json(await signing.ask(context, c.req.valid('param').id, from, c.get('caller').name), 202);
    })
    .openapi(attach, async (c) => {
      const { base, manifest: jws } = c.req.valid('json');
      const { id } = c.req.valid('param');
      return c.json(await signing.attach(context, { id, base, jws }, c.get('caller').name), 200);
    });
}
