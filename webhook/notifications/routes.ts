import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from '../context.ts';
import { isTimeZone } from '../devices/time-zone.ts';
import {
  access,
  alwaysPaging,
  answer,
  createRouter,
  ifMatch,
  jsonBody,
  page,
  problems,
  revision,
  wholeNumber,
} from '../http.ts';
import * as channels from './channels.ts';
import { deliverClaimed, leaseS } from './deliver.ts';
import * as deliveries from './deliveries.ts';
import { kinds, severities } from './kinds.ts';
import { pageOf, sentenceOf } from './message.ts';
import * as rules from './rules.ts';
import { channelKinds, channelLanguages, deliveryStates, faults } from './table.ts';
import { targetOf } from './target.ts';

const id = z.object({ id: z.uuid() });
const deliveryId = z.object({ id: wholeNumber(1) });
const moment = z.string().nullable();

const name = z.string().trim().min(1).max(100);
const url = z
  .url({ protocol: /^https?$/ })
  .max(2_000)
  .refine((text) => {
    // Refined even when it was refused as an address.
    const { username, password } = URL.canParse(text) ? new URL(text) : { username: '', password: '' };
    return !username && !password;
  }, 'must hold no user or password');
const recipients = z.array(z.email().max(254)).min(1).max(20);
const language = z.enum(channelLanguages);
const spoken = language.default('en');
const channelSchema = z
  .object({
    id: z.uuid(),
    name: z.string(),
    kind: z.enum(channelKinds),
    target: z.string(),
    secrets: z.int(),
    /** Of what its readers are told. */
    language: z.enum(channelLanguages),
    createdBy: z.string(),
    createdAt: z.string(),
    revision,
  })
  .openapi('NotificationChannel');

const time = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be HH:MM');
const quietHours = z
  .strictObject({
    from: time,
    to: time,
    timeZone: z.string().max(64).refine(isTimeZone, 'must be a time zone such as Europe/Madrid'),
  })
  .refine(({ from, to }) => from !== to, { path: ['to'], message: 'must differ from the beginning' })
  .nullable();
const ruleFields = {
  name,
  enabled: z.boolean(),
  kinds: z.array(z.enum(kinds)).min(1).max(kinds.length),
  regionId: z.uuid().nullable(),
  minSeverity: z.enum(severities),
  quietHours,
  channels: z.array(z.uuid()).min(1).max(20),
  /** Of the kind `group_matches`: a saved query, and how many devices may match it. */
  watch: z.strictObject({ group: z.uuid(), aboveDevices: z.int().min(0).max(10_000_000) }).nullable(),
};
const newRule = z.object({
  ...ruleFields,
  enabled: ruleFields.enabled.default(true),
  regionId: ruleFields.regionId.default(null),
  minSeverity: ruleFields.minSeverity.default('info'),
  quietHours: quietHours.default(null),
  watch: ruleFields.watch.default(null),
});
const ruleSchema = z
  .object({
    ...ruleFields,
    quietHours: z.object({ from: z.string(), to: z.string(), timeZone: z.string() }).nullable(),
    id: z.uuid(),
    createdBy: z.string(),
    createdAt: z.string(),
    revision,
  })
  .openapi('NotificationRule');

const deliverySchema = z
  .object({
    id: z.int(),
    event: z.uuid(),
    kind: z.enum([...kinds, 'test']),
    severity: z.enum(severities),
    at: z.string(),
    text: z.string(),
    url: z.string(),
    data: z.record(z.string(), z.unknown()),
    channel: z.string(),
    channelId: z.uuid().nullable(),
    channelKind: z.enum(channelKinds),
    target: z.string(),
    rule: z.string().nullable(),
    state: z.enum(deliveryStates),
    tries: z.int(),
    nextTryAt: moment,
    triedAt: moment,
    deliveredAt: moment,
    status: z.int().nullable(),
    answer: z.string().nullable(),
    fault: z.enum(faults).nullable(),
  })
  .openapi('NotificationDelivery');

const atLeastOne = (change: object) => Object.keys(change).length > 0;
const something = 'must change something';
const base = '/api/notifications';

const listChannels = createRoute({
  method: 'get',
  path: `${base}/channels`,
  ...access('admin', 'fleet'),
  summary: 'Where notifications go, by name; secrets and what is secret of an address are left out',
  responses: { 200: answer('All channels', z.array(channelSchema)), ...problems },
});
const createChannel = createRoute({
  method: 'post',
  path: `${base}/channels`,
  ...access('admin', 'fleet'),
  summary: 'Add a signed webhook, a Slack-compatible webhook, or e-mail',
  request: jsonBody(
    z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('webhook'), name, url, language: spoken }),
      z.strictObject({ kind: z.literal('slack'), name, url, language: spoken }),
      z.strictObject({ kind: z.literal('email'), name, recipients, language: spoken }),
    ]),
  ),
  responses: {
    201: answer(
      '`secret` is shown this once; null unless it is a signed webhook',
      z.object({ channel: channelSchema, secret: z.string().nullable() }),
    ),
    ...problems,
  },
});
const changeChannel = createRoute({
  method: 'patch',
  path: `${base}/channels/{id}`,
  ...access('admin', 'fleet'),
  ...ifMatch,
  summary: 'Change its name, address, recipients or language',
  request: {
    params: id,
    ...jsonBody(z.strictObject({ name, url, recipients, language }).partial().refine(atLeastOne, something)),
  },
  responses: { 200: answer('The channel', channelSchema), ...problems },
});
const rotateSecret = createRoute({
  method: 'post',
  path: `${base}/channels/{id}/rotate`,
  ...access('admin', 'fleet'),
  ...ifMatch,
  summary: 'A new secret for a signed webhook; the one before it signs, too, for 24 hours',
  request: { params: id },
  responses: { 200: answer('`secret` is shown this once', z.object({ secret: z.string() })), ...problems },
});
const testChannel = createRoute({
  method: 'post',
  path: `${base}/channels/{id}/test`,
  ...access('admin', 'fleet'),
  summary: 'Send a test there now, once',
  request: { params: id },
  responses: { 200: answer('What became of it', deliverySchema), ...problems },
});
const deleteChannel = createRoute({
  method: 'delete',
  path: `${base}/channels/{id}`,
  ...access('admin', 'fleet'),
  ...ifMatch,
  summary: 'Delete a channel that no rule names; what was sent to it stays in the log',
  request: { params: id },
  responses: { 204: { description: 'Deleted' }, ...problems },
});

const listRules = createRoute({
  method: 'get',
  path: `${base}/rules`,
  ...access('admin', 'fleet'),
  summary: 'Who is told what, by name',
  responses: { 200: answer('All rules', z.array(ruleSchema)), ...problems },
});
const createRule = createRoute({
  method: 'post',
  path: `${base}/rules`,
  ...access('admin', 'fleet'),
  summary: 'Add a rule: what, of where, from which severity on, when not, and to which channels',
  request: jsonBody(newRule),
  responses: { 201: answer('The rule', ruleSchema), ...problems },
});
const changeRule = createRoute({
  method: 'patch',
  path: `${base}/rules/{id}`,
  ...access('admin', 'fleet'),
  ...ifMatch,
  summary: 'Change a rule; what is left out stays as it is',
  request: {
    params: id,
    ...jsonBody(z.strictObject(ruleFields).partial().refine(atLeastOne, something)),
  },
  responses: { 200: answer('The rule', ruleSchema), ...problems },
});
const deleteRule = createRoute({
  method: 'delete',
  path: `${base}/rules/{id}`,
  ...access('admin', 'fleet'),
  ...ifMatch,
  summary: 'Delete a rule',
  request: { params: id },
  responses: { 204: { description: 'Deleted' }, ...problems },
});

const listDeliveries = createRoute({
  method: 'get',
  path: `${base}/deliveries`,
  ...access('admin', 'fleet'),
  summary: 'What was sent to whom, and what became of it, newest first',
  request: {
    query: alwaysPaging.extend({
      state: z.enum(deliveryStates).optional(),
      channelId: z.uuid().optional(),
    }),
  },
  responses: { 200: answer('A page', page(deliverySchema)), ...problems },
});
const getDelivery = createRoute({
  method: 'get',
  path: `${base}/deliveries/{id}`,
  ...access('admin', 'fleet'),
  summary: 'One delivery',
  request: { params: deliveryId },
  responses: { 200: answer('The delivery', deliverySchema), ...problems },
});
const replayDelivery = createRoute({
  method: 'post',
  path: `${base}/deliveries/{id}/replay`,
  ...access('admin', 'fleet'),
  summary: 'Send it again, with the same event id',
  request: { params: deliveryId },
  responses: { 200: answer('The delivery, which waits', deliverySchema), ...problems },
});

export function notificationRoutes(context: Context) {
  const { db, courier } = context;
  const present = (row: deliveries.Delivery) => presentDelivery(row, context.publicUrl);
  return createRouter()
    .openapi(listChannels, async (c) => c.json((await channels.list(db)).map(presentChannel), 200))
    .openapi(createChannel, async (c) => {
      const made = await channels.create(db, courier, c.req.valid('json'), c.get('caller').name);
      return c.json({ channel: presentChannel(made.channel), secret: made.secret }, 201);
    })
    .openapi(changeChannel, async (c) => {
      const { caller, expected } = c.var;
      const { id } = c.req.valid('param');
      const channel = await channels.change(db, courier, id, c.req.valid('json'), caller.name, expected);
      return c.json(presentChannel(channel), 200);
    })
    .openapi(rotateSecret, async (c) => {
      const { caller, expected } = c.var;
      const secret = await channels.rotateSecret(db, c.req.valid('param').id, caller.name, expected);
      return c.json({ secret }, 200);
    })
    .openapi(testChannel, async (c) => {
      const { id } = c.req.valid('param');
      const delivery = await deliveries.createTest(db, id, leaseS, c.get('caller').name);
      await deliverClaimed(context, delivery);
      context.live.changed('notification', 'delivery');
      return c.json(present(await deliveries.get(db, delivery)), 200);
    })
    .openapi(deleteChannel, async (c) => {
      await channels.remove(db, c.req.valid('param').id, c.get('caller').name, c.get('expected'));
      return c.body(null, 204);
    })
    .openapi(listRules, async (c) => c.json((await rules.list(db)).map(presentRule), 200))
    .openapi(createRule, async (c) =>
      c.json(presentRule(await rules.create(db, c.req.valid('json'), c.get('caller').name)), 201),
    )
    .openapi(changeRule, async (c) => {
      const { caller, expected } = c.var;
      const { id } = c.req.valid('param');
      const rule = await rules.change(db, id, c.req.valid('json'), caller.name, expected);
      return c.json(presentRule(rule), 200);
    })
    .openapi(deleteRule, async (c) => {
      await rules.remove(db, c.req.valid('param').id, c.get('caller').name, c.get('expected'));
      return c.body(null, 204);
    })
    .openapi(listDeliveries, async (c) => {
      const { items, ...rest } = await deliveries.list(db, c.req.valid('query'));
      return c.json({ items: items.map(present), ...rest }, 200);
    })
    .openapi(getDelivery, async (c) =>
      c.json(present(await deliveries.get(db, c.req.valid('param').id)), 200),
    )
    .openapi(replayDelivery, async (c) => {
      const row = await deliveries.replay(db, c.req.valid('param').id, c.get('caller').name);
      context.live.changed('notification', 'delivery');
      return c.json(present(row), 200);
    });
}

function presentChannel(channel: channels.Channel) {
  const { id, name, kind, language, createdBy, createdAt, revision } = channel;
  const [target, secrets] = [targetOf(channel), channels.secretsOf(channel)];
  return {
    ...{ id, name, kind, target, secrets, language, createdBy, revision },
    createdAt: createdAt.toISOString(),
  };
}

function presentRule({ createdAt, ...rest }: rules.Rule) {
  return { ...rest, createdAt: createdAt.toISOString() };
}

function presentDelivery({ dueAt, language, ...row }: deliveries.Delivery, publicUrl: string) {
  return {
    ...row,
    text: sentenceOf(row, language),
    url: pageOf(row, publicUrl),
    at: row.at.toISOString(),
    nextTryAt: row.state === 'waiting' ? dueAt.toISOString() : null,
    triedAt: row.triedAt?.toISOString() ?? null,
    deliveredAt: row.deliveredAt?.toISOString() ?? null,
  };
}
