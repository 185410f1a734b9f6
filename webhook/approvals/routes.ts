/** Four eyes: the rules, what waits, and the second person's word. */
import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from '../context.ts';
import { deploymentSchema, dryRunSchema } from '../deployments/schema.ts';
import { present } from '../deployments/views.ts';
import { access, answer, createRouter, ifMatch, jsonBody, problems, sha256Schema, tagged } from '../http.ts';
import * as approvals from './approvals.ts';
import * as rules from './rules.ts';
import { ruleSchema } from './schema.ts';

const id = z.object({ id: z.uuid() });
const reason = z.string().trim().max(500);
const ruleList = z.array(ruleSchema);

const listRules = createRoute({
  method: 'get',
  path: '/api/approval_rules',
  ...access('viewer', 'everybody'),
  ...tagged,
  summary: 'Which deployments wait for a second person',
  responses: { 200: answer('All rules; none: no deployment waits', ruleList), ...problems },
});
const replaceRules = createRoute({
  method: 'put',
  path: '/api/approval_rules',
  ...access('admin', 'fleet'),
  ...ifMatch,
  ...tagged,
  summary: 'Which deployments wait for a second person from now on: of a hardware, or to more devices than',
  request: jsonBody(
    z.object({
      rules: ruleList
        .max(100)
        .refine((all) => new Set(all.map(({ hardware }) => hardware)).size === all.length, {
          message: 'names a hardware twice',
        }),
    }),
  ),
  responses: { 200: answer('The rules', ruleList), ...problems },
});
const list = createRoute({
  method: 'get',
  path: '/api/approvals',
  ...access('operator', 'devices'),
  summary: 'Deployments that wait, and that you may approve or refuse; the oldest first',
  responses: { 200: answer('None for a token, nor one of your own', z.array(deploymentSchema)), ...problems },
});
const propose = createRoute({
  method: 'get',
  path: '/api/deployments/{id}/approval',
  ...access('viewer', 'devices'),
  summary: 'The dry run of a deployment that waits, as it would be now, and the digest to approve it by',
  request: { params: id },
  responses: {
    200: answer(
      'The digest is over firmware, plan and devices, not over who is online',
      z.object({ digest: z.string(), dryRun: dryRunSchema }),
    ),
    ...problems,
  },
});
const approve = createRoute({
  method: 'post',
  path: '/api/deployments/{id}/approve',
  ...access('operator', 'devices'),
  ...ifMatch,
  summary: 'Let a deployment begin that waits; not for its author, nor for tokens',
  description:
    'By the digest of the dry run that was looked at: 409 `dry_run_changed`, with `proposal` (the new digest and dry run), when it would do something else by now.',
  request: {
    params: id,
    ...jsonBody(z.object({ digest: sha256Schema, reason: reason.default('') })),
  },
  responses: { 202: answer('The deployment', deploymentSchema), ...problems },
});
const refuse = createRoute({
  method: 'post',
  path: '/api/deployments/{id}/refuse',
  ...access('operator', 'devices'),
  ...ifMatch,
  summary:
    'End a deployment that waits before it has begun; not for its author, who can cancel it, nor for tokens',
  request: { params: id, ...jsonBody(z.object({ reason: reason.min(3) })) },
  responses: { 202: answer('The deployment', deploymentSchema), ...problems },
});

export function approvalRoutes(context: Context) {
  const { db } = context;
  return createRouter()
    .openapi(listRules, async (c) => c.json(await rules.list(db), 200))
    .openapi(replaceRules, async (c) => {
      const { caller, expected } = c.var;
      return c.json(await rules.replace(db, c.req.valid('json').rules, caller.name, expected), 200);
    })
    .openapi(list, async (c) => {
      const waiting = await approvals.listFor(db, c.get('reach'), c.get('caller'));
      return c.json(waiting.map(present), 200);
    })
    .openapi(propose, async (c) =>
      c.json(await approvals.propose(context, c.get('reach'), c.req.valid('param').id), 200),
    )
    .openapi(approve, async (c) => {
      const { reach, caller, expected } = c.var;
      const { id } = c.req.valid('param');
      const decision = c.req.valid('json');
      return c.json(present(await approvals.approve(context, reach, id, decision, caller, expected)), 202);
    })
    .openapi(refuse, async (c) => {
      const { reach, caller, expected } = c.var;
      const { id } = c.req.valid('param');
      const { reason } = c.req.valid('json');
      return c.json(present(await approvals.refuse(context, reach, id, reason, caller, expected)), 202);
    });
}
