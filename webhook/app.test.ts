import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { beforeAll, describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { query } from './db/query.ts';
import { statusByCode } from './errors.ts';
import { apiToken, type Json, startTestWebhook } from './testing.ts';
import { startSuite } from './testing-suite.ts';

const admin = { email: 'admin@example.com', password: 'correct horse' };
const { database, webhook } = await startSuite({ admin });
let document: Json;
beforeAll(async () => {
  document = (await webhook.api('GET', '/api/openapi.json', undefined, {})).body;
});

const login = (body: object = admin, headers: Record<string, string> = {}) =>
  webhook.api('POST', '/api/login', body, headers);
async function session(): Promise<string> {
  const answer = await login();
  return answer.headers.get('set-cookie')!.split(';')[0]!;
}
const methods = ['get', 'post', 'put', 'patch', 'delete'];
const operations = () =>
  Object.entries(document.paths as Record<string, Record<string, Json>>).flatMap(([path, item]) =>
    methods.filter((m) => m in item).map((method) => ({ path, method, operation: item[method] })),
  );

describe('logging in', () => {
  test('gives a strict cookie that opens the API until logging out', async () => {
    const answer = await login();
    expect([answer.status, answer.body]).toEqual([200, { email: admin.email, role: 'admin', reach: null }]);
    const flags = answer.headers.get('set-cookie')!;
    expect(flags).toMatch(/HttpOnly/);
    expect(flags).toMatch(/SameSite=Strict/);
    expect(flags).toMatch(/Path=\//);
    expect(flags).not.toMatch(/Secure/);
    const cookie = flags.split(';')[0]!;
    expect((await webhook.api('GET', '/api/me', undefined, { cookie })).body.email).toBe(admin.email);
    const out = await webhook.api('POST', '/api/logout', undefined, { cookie });
    expect(out.status).toBe(204);
    expect(out.headers.get('set-cookie')).toMatch(/Max-Age=0/);
    expect((await webhook.api('GET', '/api/me', undefined, { cookie })).status).toBe(401);
  });

  test('behind https the cookie is secure', async () => {
    const secure = await startTestWebhook(database, { publicUrl: 'https://flota.example' });
    const answer = await secure.api('POST', '/api/login', admin, { origin: 'https://flota.example' });
    await secure.close();
    expect(answer.headers.get('set-cookie')).toMatch(/Secure/);
  });

  test('a wrong password and an unknown address are refused alike', async () => {
    const answers = [
      await login({ ...admin, password: 'wrong' }),
      await login({ ...admin, email: 'nobody@example.com' }),
      await login({ ...admin, email: `${admin.email}' or '1'='1` }),
    ];
    for (const { status, body, headers } of answers) {
      expect([status, body.code]).toEqual([401, 'login_failed']);
      expect(headers.get('set-cookie')).toBeNull();
    }
    expect(new Set(answers.map((a) => a.body.detail)).size).toBe(1);
    expect((await login({ email: 'a\u0000b', password: 'x' })).status).toBe(400);
    expect((await login({ email: admin.email })).body.code).toBe('invalid_request');
  });

  test('an expired or made-up session opens nothing, and no session is stored as it is', async () => {
    const cookie = await session();
    const rows = await query<{ hash: string }>(database.db, sql`select token_hash as hash from sessions`);
    expect(rows.map((r) => r.hash)).not.toContain(cookie.split('=')[1]);
    await database.db.execute(sql`update sessions set expires_at = now() - interval '1 s'`);
    for (const c of [cookie, 'flota_session=made-up', `flota_session=${rows[0]!.hash}`]) {
      expect((await webhook.api('GET', '/api/me', undefined, { cookie: c })).status).toBe(401);
    }
  });

  test('by cookie only the console’s own origin may change things', async () => {
    const cookie = await session();
    const from = (origin: string) =>
      webhook.api('POST', '/api/regions', { name: randomUUID() }, { cookie, origin });
    for (const origin of ['https://evil.example', 'http://localhost:1', 'null']) {
      const { status, body } = await from(origin);
      expect([status, body.code]).toEqual([403, 'origin_refused']);
    }
    expect((await from(webhook.copy.url)).status).toBe(201);
    expect((await login(admin, { origin: 'https://evil.example' })).status).toBe(403);
  });

  test('the automation token opens the API, another does not', async () => {
    expect((await webhook.api('GET', '/api/me')).body).toEqual({
      email: 'api-token',
      role: 'admin',
      reach: null,
    });
    for (const token of ['wrong', `${apiToken}x`, 'webhook-token-for-tests']) {
      const { status, body } = await webhook.api('GET', '/api/me', undefined, {
        authorization: `Bearer ${token}`,
      });
      expect([status, body.code]).toEqual([401, 'token_invalid']);
    }
  });
});

describe('the OpenAPI document', () => {
  test('is 3.1 in shape: every operation has a summary, answers, its path parameters, and references that resolve', () => {
    expect(document.openapi).toBe('3.1.0');
    expect(document.info).toMatchObject({ title: 'Flota' });
    expect(operations().length).toBeGreaterThan(20);
    for (const { path, method, operation } of operations()) {
      const where = `${method} ${path}`;
      expect(operation.summary, where).toBeTruthy();
      expect(
        Object.keys(operation.responses).some((s) => /^[23]/.test(s)),
        where,
      ).toBe(true);
      expect(operation.responses.default.content, where).toHaveProperty('application/problem+json');
      const named = [...path.matchAll(/\{(\w+)\}/g)].map((m) => m[1]);
      const declared = (operation.parameters ?? [])
        .filter((p: Json) => p.in === 'path')
        .map((p: Json) => p.name);
      expect(declared.sort(), where).toEqual(named.sort());
    }
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(
      (m) => m[1]!,
    );
    expect(references.length).toBeGreaterThan(5);
    for (const name of references) expect(document.components.schemas).toHaveProperty(name);
  });
});

describe('errors', () => {
  test.each([
    ['not JSON', '{', 400, 'malformed_json'],
    ['an array', '[]', 400, 'invalid_request'],
    ['null', 'null', 400, 'invalid_request'],
    ['another type', '{"name":7}', 400, 'invalid_request'],
    ['too large', JSON.stringify({ name: 'x'.repeat(1_100_000) }), 413, 'body_too_large'],
  ])('a body that is %s', async (_, body, status, code) => {
    const answer = await webhook.api('POST', '/api/regions', body);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(answer.body).toMatchObject({ type: 'about:blank', title: code.replaceAll('_', ' '), status });
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('an id that is none, a thing and a route that are not there', async () => {
    for (const [path, status] of [
      ['/api/deployments/1', 400],
      [`/api/deployments/${randomUUID()}`, 404],
      [`/api/deployments/${randomUUID()}/targets`, 404],
      ['/api/devices/nobody', 404],
      ['/api/devices/a%2Fb', 400],
      ['/api/nothing', 404],
      ['/nothing', 404],
    ] as const) {
      const answer = await webhook.api('GET', path);
      expect([path, answer.status, answer.body.status]).toEqual([path, status, status]);
    }
  });

  test('every code has a status that is an error', () => {
    expect(Object.values(statusByCode).every((s) => s >= 400 && s < 600)).toBe(true);
  });
});

describe('devices and places', () => {
  test('are created once, counted, filtered, searched and paged', async () => {
    const mark = randomUUID().slice(0, 8);
    const place = async (kind: string, name: string) =>
      (await webhook.api('POST', `/api/${kind}`, { name })).body;
    const [north, east] = [await place('regions', `${mark} north`), await place('divisions', `${mark} east`)];
    const create = (id: string, more: object = {}) =>
      webhook.api('POST', '/api/devices', { id: `${mark}-${id}`, hardware: 'esp32-s3', ...more });
    const first = await create('a', { name: `${mark} 50%`, region: north.id });
    expect([first.status, first.body]).toMatchObject([
      201,
      { region: { name: north.name }, online: false, running: [] },
    ]);
    await create('b', { name: `${mark} 500`, division: east.id });
    await create('c_1');
    await create('cx1', { hardware: 'uno' });
    const again = await create('a');
    expect([again.status, again.body.code]).toEqual([409, 'device_exists']);
    const homeless = await create('d', { region: randomUUID() });
    expect([homeless.status, homeless.body.code]).toEqual([422, 'unknown_reference']);
    const taken = await webhook.api('POST', '/api/regions', { name: north.name });
    expect([taken.status, taken.body.code]).toEqual([409, 'name_taken']);
    const ids = async (filter: string) =>
      (await webhook.api('GET', `/api/devices?${filter}`)).body.map((d: Json) => d.id.slice(9));
    expect(await ids(`search=${mark}`)).toEqual(['a', 'b', 'c_1', 'cx1']);
    expect(await ids('search=50%25')).toEqual(['a']);
    expect(await ids(`search=${mark}-c_`)).toEqual(['c_1']);
    expect(await ids(`search=${mark}&hardware=uno`)).toEqual(['cx1']);
    expect(await ids(`region=${north.id}`)).toEqual(['a']);
    expect(await ids(`division=${east.id}`)).toEqual(['b']);
    const page = (await webhook.api('GET', `/api/devices?search=${mark}&limit=3&offset=2`)).body;
    expect([page.total, page.items.map((d: Json) => d.id)]).toEqual([4, [`${mark}-c_1`, `${mark}-cx1`]]);
    const regions = (await webhook.api('GET', '/api/regions')).body;
    expect(regions.find((r: Json) => r.id === north.id)).toEqual({
      id: north.id,
      name: north.name,
      timeZone: 'UTC',
      devices: 1,
      revision: 1,
    });
  });

  test('deployments page newest first, and their targets by state', async () => {
    const firmware = await webhook.firmware();
    const devices = await Promise.all([webhook.device(), webhook.device(), webhook.device()]);
    const first = await webhook.deploy(firmware.id, ...devices);
    const second = await webhook.deploy(firmware.id, devices[0]!);
    const page = (await webhook.api('GET', '/api/deployments?limit=2')).body;
    expect(page.items.map((d: Json) => d.id)).toEqual([second.id, first.id]);
    expect(page.total).toBeGreaterThanOrEqual(2);
    const targets = async (filter: string) =>
      (await webhook.api('GET', `/api/deployments/${first.id}/targets?${filter}`)).body;
    await until('superseding', async () => (await targets('state=skipped')).total === 1);
    expect((await targets('state=pending&limit=1')).items).toHaveLength(1);
    expect((await targets('state=pending&limit=1')).total).toBe(2);
    expect((await targets('limit=2&offset=2')).items.map((t: Json) => t.state)).toEqual(['skipped']);
    expect((await webhook.api('GET', `/api/deployments/${first.id}/targets?state=lost`)).status).toBe(400);
  });
});

describe('live hints', () => {
  test('reach whoever listens, name only what changed, are merged, and end with the session’s copy', async () => {
    const copy = await startTestWebhook(database);
    const device = await webhook.device();
    const response = await fetch(`${copy.copy.url}/api/live?logs_of=${device.id}`, {
      headers: { authorization: `Bearer ${apiToken}` },
    });
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    let text = '';
    const reading = (async () => {
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) text += chunk;
    })();
    await until('hello', () => text.includes('event: hello'));
    // What happens in one copy is told by the other.
    await Promise.all(Array.from({ length: 20 }, (_, i) => device.connect(1000 + i)));
    const hint = `event: changed\ndata: ${JSON.stringify({ kind: 'device', id: device.id })}`;
    await until('the hint', () => text.includes(hint));
    expect(text.split(hint).length - 1).toBeLessThanOrEqual(4);
    // Commands of all, logs of the one that was asked for.
    const other = await webhook.device();
    for (const one of [other, device]) await one.send('log', { level: 'info', message: 'hello' });
    await webhook.api('POST', `/api/devices/${other.id}/commands`, { command: 'blink' });
    const told = (kind: string, id: string) => text.includes(JSON.stringify({ kind, id }));
    await until('both hints', () => told('log', device.id) && told('command', other.id));
    expect(told('log', other.id)).toBe(false);
    await copy.close();
    await reading;
  });
});

test('a connection outlives those that a proxy or a load balancer keeps, or their next request would meet its end', async () => {
  const response = await fetch(`http://127.0.0.1:${webhook.copy.port}/healthz`);
  expect(response.headers.get('keep-alive')).toBe('timeout=310');
});

test('health is told to anybody', async () => {
  for (const path of ['/healthz', '/readyz'])
    expect((await webhook.api('GET', path, undefined, {})).status).toBe(200);
  expect((await fetch(`http://127.0.0.1:${webhook.copy.internalPort}/healthz`)).status).toBe(200);
  const { headers } = await webhook.api('GET', '/healthz');
  expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
  expect(headers.get('x-content-type-options')).toBe('nosniff');
});

test('a taken port is told, and nothing is left running', async () => {
  const { startWebhook } = await import('./server.ts');
  const parts = { database, objects: webhook.objects, broker: webhook.broker, authority: webhook.authority };
  const rest = { signer: null, trustedKeys: { keys: [] }, log: () => {}, webhookToken: 'x', apiToken: null };
  const start = startWebhook(
    { ...parts, ...rest, publicUrl: null, consoleDir: null },
    { host: '127.0.0.1', port: 0, internalPort: webhook.copy.internalPort, admin: null },
  );
  await expect(start).rejects.toMatchObject({ code: 'EADDRINUSE' });
});
