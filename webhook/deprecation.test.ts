import { createRoute, z } from '@hono/zod-openapi';
import { expect, test } from 'vitest';
import { deprecated, deprecatedField, readDeprecations, tellDeprecated } from './deprecation.ts';
import { createRouter, jsonBody } from './http.ts';

const soon = { since: '2026-11-30', sunset: '2027-06-01' };
const later = { since: '2026-11-30', sunset: '2028-01-01' };
const answers = { 200: { description: 'ok' } };

function app() {
  const router = createRouter();
  let table: ReturnType<typeof readDeprecations> = new Map();
  router.use(tellDeprecated(() => table));
  const old = createRoute({ method: 'get', path: '/api/old', ...deprecated(soon), responses: answers });
  const fields = createRoute({
    ...{ method: 'post' as const, path: '/api/fields', responses: answers },
    request: {
      query: z.object({ page: deprecatedField(z.string().optional(), later), size: z.string().optional() }),
      ...jsonBody(
        z.object({ note: deprecatedField(z.string().optional(), soon), name: z.string().optional() }),
      ),
    },
  });
  router.openapi(old, (c) => c.body(null, 200, { Link: '</next>; rel="next"' }));
  router.openapi(fields, (c) => c.body(null, 200));
  table = readDeprecations(router);
  const ask = async (path: string, body?: object) => {
    const { headers } = await router.request(path, {
      method: body ? 'POST' : 'GET',
      ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    return ['deprecation', 'sunset', 'link'].map((name) => headers.get(name));
  };
  return { router, ask };
}

test('a deprecated operation says since when, until when and where more is told, beside its other links', async () => {
  const { ask, router } = app();
  expect(await ask('/api/old')).toEqual([
    '@1795996800',
    'Tue, 01 Jun 2027 00:00:00 GMT',
    '</next>; rel="next", </api/docs#getOld>; rel="deprecation"; type="text/html"',
  ]);
  const { paths } = router.getOpenAPI31Document({ openapi: '3.1.0', info: { title: '', version: '' } });
  expect(paths!['/api/old']!.get).toMatchObject({ deprecated: true, 'x-sunset': '2027-06-01' });
});

test('a deprecated field says so to who uses it, and of several the first to go', async () => {
  const { ask } = app();
  expect(await ask('/api/fields?size=1', { name: 'x' })).toEqual([null, null, null]);
  expect((await ask('/api/fields', { note: 'x' }))[1]).toBe('Tue, 01 Jun 2027 00:00:00 GMT');
  expect((await ask('/api/fields?page=1', {}))[1]).toBe('Sat, 01 Jan 2028 00:00:00 GMT');
  expect((await ask('/api/fields?page=1', { note: 'x' }))[1]).toBe('Tue, 01 Jun 2027 00:00:00 GMT');
});

test('nothing goes within half a year', () => {
  const router = createRouter();
  const hasty = deprecated({ since: '2026-11-30', sunset: '2027-04-01' });
  router.openapi(createRoute({ method: 'get', path: '/api/x', ...hasty, responses: answers }), (c) =>
    c.body(null),
  );
  expect(() => readDeprecations(router)).toThrow('get /api/x: what is deprecated stays half a year');
});
