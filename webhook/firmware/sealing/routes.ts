import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from '../../context.ts';
import { hardwareSchema } from '../../devices/fields.ts';
import { access, answer, createRouter, ifMatch, jsonBody, problems, tagged } from '../../http.ts';
import * as settings from './settings.ts';

const encryptionSchema = z.object({
  hardware: z.array(z.string()),
  /** A master key is set; without one nothing can be encrypted. */
  available: z.boolean(),
});

const read = createRoute({
  method: 'get',
  path: '/api/encryption',
  ...access('viewer', 'everybody'),
  ...tagged,
  summary: 'Firmware of which hardware is kept, and sent to devices, encrypted only',
  responses: { 200: answer('The hardware', encryptionSchema), ...problems },
});
const replace = createRoute({
  method: 'put',
  path: '/api/encryption',
  ...access('admin', 'fleet'),
  ...ifMatch,
  ...tagged,
  summary: 'Keep firmware of this hardware encrypted from now on, and of no other',
  description:
    'What is there of it is encrypted at once, and the plain objects are deleted; devices of it that cannot decrypt get no update (`cannot_decrypt`). ' +
    'What is encrypted stays so when its hardware is left out. 422 `sealing_unavailable`: no master key is set (`SEALING_KEYS`).',
  request: jsonBody(z.object({ hardware: z.array(hardwareSchema).max(100) })),
  responses: { 200: answer('The hardware', encryptionSchema), ...problems },
});

export function sealingRoutes(context: Context) {
  return createRouter()
    .openapi(read, async (c) => c.json(await settings.read(context.db, context.masterKeys), 200))
    .openapi(replace, async (c) => {
      const { hardware } = c.req.valid('json');
      const { caller, expected } = c.var;
      return c.json(await settings.replace(context, hardware, caller.name, expected), 200);
    });
}
