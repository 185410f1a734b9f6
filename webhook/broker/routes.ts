import { createRoute, z } from '@hono/zod-openapi';
import { EmqxError, type EmqxErrorCode } from '#emqx/api.ts';
import type { Context } from '../context.ts';
import { AppError } from '../errors.ts';
import { access, answer, createRouter, problems } from '../http.ts';
import { share } from '../shared.ts';

const counts = z.record(z.string(), z.number());
const lost = z.array(z.object({ why: z.string(), count: z.number() }));
const common = { id: z.string(), description: z.string(), enabled: z.boolean() };
const awayCodes = ['broker_unreachable', 'api_key_refused', 'broker_refused', 'answer_unexpected'] as const;

// Named, or generators of clients make two models of each.
const connector = z.object({ ...common, status: z.string(), url: z.string() }).openapi('BrokerConnector');
const rule = z
  .object({ ...common, sql: z.string(), actions: z.array(z.string()), counts, lost })
  .openapi('BrokerRule');
const action = z
  .object({ ...common, status: z.string(), connector: z.string(), counts, lost })
  .openapi('BrokerAction');
const drift = z
  .object({
    kind: z.enum(['connector', 'action', 'rule']),
    id: z.string(),
    does: z.enum(['create', 'update', 'remove', 'foreign']),
    differences: z.array(
      z.object({ path: z.string(), file: z.string().nullable(), broker: z.string().nullable() }),
    ),
  })
  .openapi('BrokerDrift');

const brokerSchema = z
  .discriminatedUnion('state', [
    z.object({
      state: z.literal('away'),
      dashboardUrl: z.string().nullable(),
      code: z.enum(awayCodes satisfies readonly EmqxErrorCode[]),
      reason: z.string(),
    }),
    z.object({
      state: z.literal('here'),
      dashboardUrl: z.string().nullable(),
      version: z.string(),
      defaultPassword: z.boolean(),
      connectors: z.array(connector),
      rules: z.array(rule),
      actions: z.array(action),
      drift: z.array(drift).nullable(),
    }),
  ])
  .openapi('Broker');

const broker = createRoute({
  method: 'get',
  path: '/api/broker',
  ...access('viewer', 'fleet'),
  summary: "The broker's rules and actions with EMQX's counts, and what differs from the files",
  responses: {
    200: answer(
      'What the broker has; `away` when it cannot be asked. `drift` null: no files here',
      brokerSchema,
    ),
    ...problems,
  },
});

export function brokerRoutes({ inspector, dashboardUrl = null }: Context) {
  // Each look is some twenty calls.
  const look =
    inspector &&
    share(
      () => inspector.inspect(),
      () => 2_000,
    );
  return createRouter().openapi(broker, async (c) => {
    if (!look) throw new AppError('broker_unavailable', 'This copy was not told how to ask the broker.');
    try {
      return c.json({ state: 'here' as const, dashboardUrl, ...(await look()) }, 200);
    } catch (error) {
      if (!(error instanceof EmqxError)) throw error;
      return c.json({ state: 'away' as const, dashboardUrl, code: error.code, reason: error.message }, 200);
    }
  });
}
