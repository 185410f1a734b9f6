import { createRoute, z } from '@hono/zod-openapi';
import { deviceIdSchema } from '#emqx/protocol.ts';
import type { Context } from '../context.ts';
import { access, answer, createRouter, problems } from '../http.ts';
import { type FirstSteps, readFirstSteps, readSurroundings, type Surroundings } from './onboarding.ts';

const jwk = z.looseObject({ kty: z.string(), kid: z.string().optional() });
const surroundings = createRoute({
  method: 'get',
  path: '/api/surroundings',
  ...access('viewer', 'everybody'),
  summary:
    'What a device is given before its first connection: addresses, the root certificate, the signing keys',
  responses: {
    200: answer(
      'No secret is in it. `mqttUrl` is null where the webhook was not told it; `signs`: a firmware is signed when it is registered',
      z.object({
        url: z.string(),
        mqttUrl: z.string().nullable(),
        root: z.string(),
        keys: z.object({ keys: z.array(jwk) }),
        signs: z.boolean(),
      } satisfies Record<keyof Surroundings, z.ZodType>),
    ),
    ...problems,
  },
});
const firstSteps = createRoute({
  method: 'get',
  path: '/api/devices/{id}/first_steps',
  ...access('viewer', 'devices'),
  summary: 'How far a new device has come, from its certificate to its first update',
  request: { params: z.object({ id: deviceIdSchema }) },
  responses: {
    200: answer(
      '`subscribed` is as it is now; the others stay',
      z.object({
        certificate: z.boolean(),
        connected: z.boolean(),
        subscribed: z.boolean(),
        message: z.boolean(),
        update: z.boolean(),
      } satisfies Record<keyof FirstSteps, z.ZodType>),
    ),
    ...problems,
  },
});

export function onboardingRoutes(context: Context) {
  return createRouter()
    .openapi(surroundings, async (c) => {
      const { keys, ...rest } = await readSurroundings(context);
      return c.json({ ...rest, keys: { keys: keys.keys as z.infer<typeof jwk>[] } }, 200);
    })
    .openapi(firstSteps, async (c) =>
      c.json(await readFirstSteps(context.db, c.get('reach'), c.req.valid('param').id), 200),
    );
}
