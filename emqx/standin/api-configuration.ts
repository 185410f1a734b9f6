/** `/connectors`, `/actions` and `/rules`, in EMQX's shapes; only HTTP connectors and actions exist here. */
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { isSecret, isSettings, kinds, masked, type ResourceKind } from '../schema.ts';
import { putConfigs } from './api-configs.ts';
import { badRequest, type Call, notFound, pageOf, type Reply, type Route } from './api-route.ts';
import type { Configuration, Entry } from './configuration.ts';
import type { RuleEngine } from './rule-engine.ts';
import { parseSql } from './sql/parser.ts';

const node = 'emqx@127.0.0.1';

export function configurationRoutes(config: Configuration, engine: RuleEngine): Route[] {
  const show = { connector: showConnector, action: showAction, rule: showRule };
  const missing = (kind: ResourceKind, id: string) =>
    notFound(kind === 'rule' ? 'Rule Id Not Found' : `${kind} named '${id}' of type http does not exist.`);
  const whenKnown = (
    kind: ResourceKind,
    does: (id: string, entry: Entry, call: Call) => Reply | Promise<Reply>,
  ) => {
    return (call: Call) => {
      const id = kind === 'rule' ? call.params[0]! : /^http:(.+)$/.exec(call.params[0]!)?.[1];
      if (id === undefined)
        return notFound(`Invalid ID, should be of pattern http:{name}: ${call.params[0]}`);
      const entry = config[kind].get(id);
      return entry ? does(id, entry, call) : missing(kind, id);
    };
  };
  const put = async (kind: ResourceKind, id: string, body: unknown, status: number): Promise<Reply> => {
    const { type: _, name, id: __, ...settings } = isSettings(body) ? body : {};
    const own = kind === 'rule' && name !== undefined ? { ...settings, name } : settings;
    const entry = config.put(kind, id, own);
    return { status, body: await show[kind](config, id, entry) };
  };
  const post = (kind: ResourceKind) => (call: Call) => {
    const body = isSettings(call.body) ? call.body : {};
    if (kind !== 'rule' && body.type !== 'http')
      return badRequest(`type ${body.type}: only http is supported`);
    const id = String((kind === 'rule' ? body.id : body.name) ?? randomUUID().slice(0, 8));
    if (config[kind].has(id))
      return badRequest(`${kind} ${id} already exists`, kind === 'rule' ? 'BAD_REQUEST' : 'ALREADY_EXISTS');
    return put(kind, id, body, 201);
  };
  const list = (kind: ResourceKind) =>
    Promise.all([...config[kind]].map(([id, entry]) => show[kind](config, id, entry)));
  const remove = (kind: ResourceKind) =>
    whenKnown(kind, (id) => {
      const users = kind === 'rule' ? [] : config.usersOf(kind, id);
      if (users.length > 0)
        return {
          status: 400,
          body: {
            code: 'BAD_REQUEST',
            message: `Cannot delete: used by ${users.join(', ')}`,
            ...(kind === 'action' ? { rules: users } : {}),
          },
        };
      config.remove(kind, id);
      return { status: 204 };
    });

  const both = (['connector', 'action'] as const).flatMap((kind): Route[] => [
    [`GET /${kind}s`, async () => ({ status: 200, body: await list(kind) })],
    [
      `PUT /${kind}s/:id/enable/:flag`,
      whenKnown(kind, (id, entry, { params }) => {
        config.put(kind, id, { ...entry.settings, enable: params[1] === 'true' });
        return { status: 204 };
      }),
    ],
  ]);
  const each = kinds.flatMap((kind): Route[] => [
    [`POST /${kind}s`, post(kind)],
    [
      `GET /${kind}s/:id`,
      whenKnown(kind, async (id, entry) => ({ status: 200, body: await show[kind](config, id, entry) })),
    ],
    [
      `PUT /${kind}s/:id`,
      kind === 'rule'
        ? ({ params, body }) => put(kind, params[0]!, body, 200)
        : whenKnown(kind, (id, _entry, { body }) => put(kind, id, body, 200)),
    ],
    [`DELETE /${kind}s/:id`, remove(kind)],
  ]);
  return [
    ...both,
    ...each,
    [
      'GET /rules',
      async ({ query }) => {
        const like = query.get('like_id') ?? '';
        const rules = (await list('rule')) as { id: string }[];
        return pageOf(
          query,
          rules.filter(({ id }) => id.includes(like)),
        );
      },
    ],
    [
      'GET /rules/:id/metrics',
      whenKnown('rule', (id) => {
        const rates = {
          'matched.rate': 0,
          'matched.rate.last5m': 0,
          'matched.rate.max': 0,
          'actions.failed.unknown': 0,
        };
        return { status: 200, body: { id, ...onOneNode({ ...rates, ...engine.ruleMetrics(id) }) } };
      }),
    ],
    [
      'GET /actions/:id/metrics',
      whenKnown('action', (id) => {
        const rates = { rate: 0, rate_last5m: 0, rate_max: 0, received: 0 };
        return { status: 200, body: onOneNode({ ...rates, ...engine.actionMetrics(id) }) };
      }),
    ],
    [
      'PUT /rules/:id/metrics/reset',
      whenKnown('rule', (id) => {
        engine.resetRule(id);
        return { status: 204 };
      }),
    ],
    [
      'PUT /actions/:id/metrics/reset',
      whenKnown('action', (id) => {
        engine.action(id)?.reset();
        return { status: 204 };
      }),
    ],
    ['PUT /configs', ({ query, body }) => putConfigs(config, query.get('mode') ?? 'merge', body)],
  ];
}

function onOneNode(metrics: object) {
  return { metrics, node_metrics: [{ metrics, node }] };
}

async function showConnector(config: Configuration, name: string, { settings }: Entry) {
  const status =
    settings.enable && (await answers(new URL(String(settings.url)))) ? 'connected' : 'disconnected';
  const headers = isSettings(settings.headers) && {
    headers: Object.fromEntries(
      Object.entries(settings.headers).map(([key, value]) => [key, isSecret(key) ? masked : value]),
    ),
  };
  const actions = config.usersOf('connector', name);
  return {
    type: 'http',
    name,
    ...settings,
    ...headers,
    actions,
    sources: [],
    status,
    node_status: [{ node, status }],
  };
}

async function showAction(config: Configuration, name: string, { settings, createdAt, modifiedAt }: Entry) {
  const connector = config.connector.get(String(settings.connector));
  const up =
    settings.enable && connector && (await showConnector(config, '', connector)).status === 'connected';
  const state = { status: up ? 'connected' : 'disconnected', status_reason: '' };
  return {
    ...{ type: 'http', name, ...settings, rules: config.usersOf('action', name), error: '' },
    ...{ ...state, node_status: [{ node, ...state }], created_at: createdAt, last_modified_at: modifiedAt },
  };
}

function showRule(_: Configuration, id: string, { settings, createdAt, modifiedAt }: Entry) {
  const at = (ms: number) => new Date(ms).toISOString();
  const { from } = parseSql(String(settings.sql));
  return { id, ...settings, from, created_at: at(createdAt), last_modified_at: at(modifiedAt) };
}

/** Whether something listens there: all that a health check finds out. */
function answers({ hostname, port, protocol }: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(
      Number(port) || (protocol === 'https:' ? 443 : 80),
      hostname.replace(/^\[|\]$/g, ''),
    );
    const end = (ok: boolean) => {
      socket.destroy();
      resolve(ok);
    };
    socket.setTimeout(1_000, () => end(false));
    socket.once('connect', () => end(true)).once('error', () => end(false));
  });
}
