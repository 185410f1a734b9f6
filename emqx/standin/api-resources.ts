/** `/connectors`, `/actions` and `/rules`, in EMQX's shapes; only HTTP connectors and actions exist here. */
import { randomUUID } from 'node:crypto';
import type { Context, Hono } from 'hono';
import { z } from 'zod';
import { isSecret, isSettings, kinds, masked, type ResourceKind, roots, type Settings } from '../schema.ts';
import { parseSql } from '../sql.ts';
import { ApiError, known, node, pageOf, paging } from './api-answers.ts';
import type { Configuration } from './configuration.ts';

export function routeResources(app: Hono, config: Configuration): void {
  const idOf = (kind: ResourceKind, c: Context): string => {
    const given = String(c.req.param('id'));
    const id = kind === 'rule' ? given : given.replace(/^http:/, '');
    if (!config[kind].has(id)) throw new ApiError(404, 'NOT_FOUND', `${kind} ${given} not found`);
    return id;
  };
  const put = (kind: ResourceKind, id: string, { type: _, id: __, ...settings }: Settings) => {
    if (kind !== 'rule') delete settings.name;
    config.put(kind, id, settings);
    return show(config, kind, id);
  };
  for (const kind of kinds) {
    const path = `/${kind}s`;
    app.get(path, (c) => {
      const all = [...config[kind].keys()].map((id) => show(config, kind, id));
      return c.json(kind === 'rule' ? pageOf(known(paging).parse(c.req.query()), all) : all);
    });
    app.post(path, async (c) => {
      const body = await bodyOf(c);
      if (kind !== 'rule' && body.type !== 'http')
        throw new ApiError(400, 'BAD_REQUEST', `the stand-in does not support the type ${body.type}`);
      const id = String((kind === 'rule' ? body.id : body.name) ?? randomUUID().slice(0, 8));
      const code = kind === 'rule' ? 'BAD_REQUEST' : 'ALREADY_EXISTS';
      if (config[kind].has(id)) throw new ApiError(400, code, `${kind} ${id} already exists`);
      return c.json(put(kind, id, body), 201);
    });
    app.get(`${path}/:id`, (c) => c.json(show(config, kind, idOf(kind, c))));
    app.put(`${path}/:id`, async (c) => {
      // A rule that is not there is made.
      const id = kind === 'rule' ? c.req.param('id') : idOf(kind, c);
      return c.json(put(kind, id, await bodyOf(c)));
    });
    app.delete(`${path}/:id`, (c) => {
      const id = idOf(kind, c);
      const users = config.usersOf(kind, id);
      if (users.length > 0)
        throw new ApiError(400, 'BAD_REQUEST', `Cannot delete: used by ${users.join(', ')}`);
      config.remove(kind, id);
      return c.body(null, 204);
    });
  }
  /** Of this node alone, as HOCON, which JSON is. */
  app.get('/configs', (c) => {
    const { key, node: asked = node, ...others } = c.req.query();
    const kind = kinds.find((one) => roots[one][0] === key);
    if (!kind || Object.keys(others).length > 0)
      throw new ApiError(400, 'BAD_REQUEST', `the stand-in does not support GET ${c.req.path}?key=${key}`);
    if (asked !== node) throw new ApiError(404, 'NOT_FOUND', `Bad node "${asked}", reason not found`);
    const all = [...config[kind]].map(([id, settings]) => [id, obscured(settings)]);
    return c.text(JSON.stringify({ [roots[kind][0]]: { [roots[kind][1]]: Object.fromEntries(all) } }));
  });
  for (const kind of ['rule', 'action'] as const) {
    app.get(`/${kind}s/:id/metrics`, (c) => {
      const id = idOf(kind, c);
      const metrics = config.engine[`${kind}Metrics`](id);
      return c.json({ ...(kind === 'rule' && { id }), metrics, node_metrics: [{ metrics, node }] });
    });
    app.put(`/${kind}s/:id/metrics/reset`, (c) => {
      config.engine.reset(kind, idOf(kind, c));
      return c.body(null, 204);
    });
  }
}

async function bodyOf(c: Context): Promise<Settings> {
  return z.looseObject({}).parse(await c.req.json()) as Settings;
}

/** When it was made is not kept. */
const madeAt = <T>(at: T) => ({ created_at: at, last_modified_at: at });

function show(config: Configuration, kind: ResourceKind, id: string): object {
  const settings = config[kind].get(id)!;
  if (kind === 'rule')
    return { id, ...settings, from: parseSql(String(settings.sql)).from, ...madeAt(new Date(0)) };
  const users = config.usersOf(kind, id);
  const up = kind === 'action' ? config.engine.isUp(id) : users.every((user) => config.engine.isUp(user));
  const status = settings.enable && up ? 'connected' : 'disconnected';
  const named = { type: 'http', name: id, ...obscured(settings) };
  if (kind === 'connector')
    return { ...named, actions: users, sources: [], status, node_status: [{ node, status }] };
  const state = { status, status_reason: '' };
  return { ...named, rules: users, error: '', ...state, node_status: [{ node, ...state }], ...madeAt(0) };
}

function obscured(settings: Settings): Settings {
  const headers = Object.entries(isSettings(settings.headers) ? settings.headers : {});
  const hidden = headers.map(([name, value]) => [name, isSecret(name) ? masked : value]);
  return { ...settings, ...(headers.length > 0 && { headers: Object.fromEntries(hidden) }) };
}
