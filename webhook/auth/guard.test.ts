import { randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { type Access, access, createRouter, type Role, roles } from '../http.ts';
import type { Json } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { sha256 } from './auth.ts';
import { readAccess } from './guard.ts';
import type { Scope } from './scopes.ts';
import { sessions, users } from './table.ts';

const { database, webhook } = await startSuite();
const cookies = new Map<Role, string>();
let operations: { method: string; path: string; needed: Access; scope: Scope | null }[];
beforeAll(async () => {
  const document: Json = (await webhook.api('GET', '/api/openapi.json', undefined, {})).body;
  operations = Object.entries(document.paths as Record<string, Record<string, Json>>).flatMap(
    ([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({
        method: method.toUpperCase(),
        path,
        needed: operation['x-access'],
        scope: operation.security?.find((one: Json) => one.bearer)?.bearer[0] ?? null,
      })),
  );
  for (const role of roles) {
    const [user] = await database.db
      .insert(users)
      .values({ email: `${role}@example.com`, passwordHash: 'none', role })
      .returning();
    const token = randomUUID();
    const expiresAt = new Date(Date.now() + 3600_000);
    await database.db.insert(sessions).values({ tokenHash: sha256(token), userId: user!.id, expiresAt });
    cookies.set(role, `flota_session=${token}`);
  }
});

/** The status alone: an answer that streams for ever is not read. */
async function call(method: string, path: string, headers: Record<string, string>): Promise<number> {
  const abort = new AbortController();
  const url = webhook.copy.url + path.replace(/\{\w+\}/g, randomUUID());
  const body = method === 'GET' ? {} : { body: '{}' };
  const { status } = await fetch(url, {
    method,
    headers: { ...headers, 'content-type': 'application/json' },
    signal: abort.signal,
    ...body,
  });
  abort.abort();
  return status;
}

test('every route says who may call it, and only those by which one gets in are open to anyone', () => {
  expect(operations.length).toBeGreaterThan(20);
  for (const { method, path, needed } of operations) {
    expect([...roles, 'anyone'], `${method} ${path}`).toContain(needed);
    // Anyone who is logged in may change one's own password and authenticator.
    if (method !== 'GET' && !path.startsWith('/api/me/'))
      expect(needed, `${method} ${path}`).not.toBe('viewer');
  }
  const open = operations.filter((o) => o.needed === 'anyone').map((o) => `${o.method} ${o.path}`);
  expect(open.sort()).toEqual([
    'GET /api/oidc',
    'GET /api/oidc/callback',
    'GET /api/oidc/login',
    'POST /api/issue_cert',
    'POST /api/login',
    'POST /api/logout',
    'POST /api/oidc/backchannel-logout',
  ]);
});

test('nobody gets past a closed route, whatever else is wrong with the request', async () => {
  for (const { method, path } of operations.filter((o) => o.needed !== 'anyone')) {
    for (const headers of [{}, { cookie: 'flota_session=x' }, { authorization: 'Bearer x' }]) {
      expect([method, path, await call(method, path, headers as Record<string, string>)]).toEqual([
        method,
        path,
        401,
      ]);
    }
  }
});

test.each(roles)('a caller who is %s may do what that role may, and nothing else', async (role) => {
  for (const { method, path, needed } of operations.filter((o) => o.path !== '/api/logout')) {
    const status = await call(method, path, { cookie: cookies.get(role)! });
    const allowed = needed === 'anyone' || roles.indexOf(role) >= roles.indexOf(needed);
    if (allowed) expect([method, path, status], role).not.toEqual([method, path, 403]);
    else expect([method, path, status], role).toEqual([method, path, 403]);
    expect(status, `${method} ${path}`).not.toBe(500);
  }
});

test.each<[Scope[], (scope: Scope) => boolean]>([
  [['read'], (scope) => scope.endsWith(':read')],
  [['firmware:write', 'notifications:read'], (scope) => /^firmware:|^notifications:read$/.test(scope)],
])('a token with the scopes %j may do what they name, and nothing else', async (scopes, names) => {
  const made = await webhook.api('POST', '/api/tokens', { name: randomUUID(), role: 'admin', scopes });
  const headers = { authorization: `Bearer ${made.body.secret}` };
  const closed = operations.filter(({ needed }) => needed !== 'anyone');
  expect(closed.filter(({ scope }) => scope === null).map(({ path }) => path)).toEqual(['/api/me']);
  for (const { method, path, scope } of closed) {
    const status = await call(method, path, headers);
    expect([method, path, status === 403]).toEqual([method, path, scope !== null && !names(scope)]);
  }
});

test('viewers only look; deployments, firmware and commands take an operator; the rest takes an admin', () => {
  const needed = (method: string, path: string) =>
    operations.find((o) => o.method === method && o.path === path)?.needed;
  expect(needed('GET', '/api/devices')).toBe('viewer');
  expect(needed('POST', '/api/deployments')).toBe('operator');
  expect(needed('POST', '/api/deployments/{id}/cancel')).toBe('operator');
  expect(needed('POST', '/api/firmwares/metadata')).toBe('operator');
  expect(needed('POST', '/api/devices')).toBe('admin');
  expect(needed('POST', '/api/certificates/tokens')).toBe('admin');
});

test('a HEAD request takes the role of its GET', async () => {
  const head = (headers: Record<string, string>) =>
    fetch(`${webhook.copy.url}/api/devices`, { method: 'HEAD', headers });
  expect((await head({})).status).toBe(401);
  expect((await head({ cookie: cookies.get('viewer')! })).status).toBe(200);
});

test('an app with a route that says nothing is not put together', () => {
  const route = {
    method: 'get',
    path: '/api/secret/{id}',
    responses: { 200: { description: 'OK' } },
  } as const;
  const undeclared = createRouter();
  undeclared.openapi(route, (c) => c.text(''));
  expect(() => readAccess(undeclared)).toThrow('GET /api/secret/:id does not say who may call it');
  const plain = createRouter();
  plain.get('/api/plain', (c) => c.text(''));
  expect(() => readAccess(plain)).toThrow('GET /api/plain');
  const declared = createRouter();
  declared.openapi({ ...route, ...access('admin') }, (c) => c.text(''));
  expect(readAccess(declared).get('GET /api/secret/:id')).toEqual({
    to: 'admin',
    reaching: 'fleet',
    // Closed to tokens with scopes: nobody has said which.
    scope: undefined,
  });
});
