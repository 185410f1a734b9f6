/** One word, and what it may mean: a few results of each kind. */
import { createRoute, z } from '@hono/zod-openapi';
import { findBySerial } from '../certificates/inventory.ts';
import type { Context } from '../context.ts';
import { rolloutStates } from '../deployments/rollout.ts';
import { find as findDeployments } from '../deployments/views.ts';
import { find as findDevices } from '../devices/find.ts';
import * as firmware from '../firmware/firmware.ts';
import { access, answer, createRouter, problems } from '../http.ts';

const perKind = 5;

const search = createRoute({
  method: 'get',
  path: '/api/search',
  ...access('viewer', 'devices'),
  summary: `Devices by id or name, certificates by serial, firmware by name, version or digest, deployments by firmware or id: at most ${perKind} of each`,
  request: { query: z.object({ q: z.string().trim().min(1).max(100) }) },
  responses: {
    200: answer(
      'What was found',
      z.object({
        devices: z.array(z.object({ id: z.string(), name: z.string(), online: z.boolean() })),
        certificates: z.array(z.object({ serial: z.string(), commonName: z.string() })),
        firmwares: z.array(
          z.object({ id: z.uuid(), name: z.string(), version: z.string(), sha256: z.string() }),
        ),
        deployments: z.array(
          z.object({
            id: z.uuid(),
            state: z.enum(rolloutStates),
            createdAt: z.string(),
            firmware: z.object({ name: z.string(), version: z.string() }),
          }),
        ),
      }),
    ),
    ...problems,
  },
});

export function searchRoutes({ db }: Context) {
  return createRouter().openapi(search, async (c) => {
    const { q } = c.req.valid('query');
    const reach = c.get('reach');
    const [devices, certificates, firmwares] = await Promise.all([
      findDevices(db, reach, q, perKind),
      findBySerial(db, reach, q, perKind),
      firmware.find(db, q, perKind),
    ]);
    const ids = firmwares.map(({ id }) => id);
    const deployments = await findDeployments(db, reach, q, ids, perKind);
    return c.json(
      {
        devices,
        certificates,
        firmwares: firmwares.map(({ id, name, version, sha256 }) => ({ id, name, version, sha256 })),
        deployments: deployments.map((one) => ({ ...one, createdAt: one.createdAt.toISOString() })),
      },
      200,
    );
  });
}
