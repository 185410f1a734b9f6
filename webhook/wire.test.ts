/** The API as it travels and as it is described: for browsers on slow lines, and for clients in other languages. */
import { get as httpGet } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Json } from './testing.ts';
import { startSuite } from './testing-suite.ts';

const { webhook } = await startSuite();
const document = (await webhook.api('GET', '/api/openapi.json')).body as Json;

/** As it comes over the wire: fetch would unpack it. */
function ask(path: string, headers: Record<string, string>) {
  return new Promise<{ headers: Record<string, unknown>; body: Buffer }>((resolve, reject) => {
    const request = httpGet(`${webhook.copy.url}${path}`, { headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(chunks) }));
      if (response.headers['content-type'] === 'text/event-stream') {
        resolve({ headers: response.headers, body: Buffer.alloc(0) });
        response.destroy();
      }
    });
    request.on('error', reject);
  });
}
const authorization = 'Bearer api-token-for-tests';

describe('answers', () => {
  test('are compressed for who takes it, and for nobody else', async () => {
    const packed = await ask('/api/openapi.json', { 'accept-encoding': 'gzip' });
    expect(packed.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
    expect(JSON.parse(gunzipSync(packed.body).toString())).toEqual(document);
    const plain = await ask('/api/openapi.json', {});
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(packed.body.length).toBeLessThan(plain.body.length / 4);
  });

  test('that are a stream of events are not, or each would wait for the next', async () => {
    const live = await ask('/api/live', { 'accept-encoding': 'gzip', authorization });
    expect(live.headers['content-type']).toBe('text/event-stream');
    expect(live.headers['content-encoding']).toBeUndefined();
  });
});

function operations(): { name: string; operation: Json }[] {
  return Object.entries(document.paths as Json).flatMap(([path, item]) =>
    Object.entries(item as Json).map(([method, operation]) => ({
      name: `${method} ${path}`,
      operation: operation as Json,
    })),
  );
}

function everything(value: unknown, at = ''): [string, unknown][] {
  if (typeof value !== 'object' || value === null) return [[at, value]];
  return Object.entries(value).flatMap(([name, inner]) => everything(inner, `${at}/${name}`));
}

describe('the OpenAPI document', () => {
  test('names each operation once, and the part that it belongs to', () => {
    const ids = operations().map(({ operation }) => operation.operationId);
    for (const id of ids) expect(id).toMatch(/^[a-z][A-Za-z0-9]+$/);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toContain('postDeploymentsByIdRetryFailed');
    const known = (document.tags as Json[]).map(({ name }) => name);
    for (const { name, operation } of operations())
      expect([name, known.includes(operation.tags?.[0])]).toEqual([name, true]);
  });

  test('has no pattern that only JavaScript reads', () => {
    const patterns = everything(document).filter(([at]) => at.endsWith('/pattern'));
    expect(patterns.length).toBeGreaterThan(20);
    for (const [at, pattern] of patterns) {
      // A literal with flags, a property of Unicode, or what needs them.
      expect([at, /^\/.*\/[a-z]*$|\\[pP]\{|\\u\{/.test(String(pattern))]).toEqual([at, false]);
      expect(() => new RegExp(String(pattern))).not.toThrow();
    }
  });

  test('has an example of each JSON body, which the server finds well formed', async () => {
    const bodies = operations().filter(({ operation }) => operation.requestBody?.content['application/json']);
    expect(bodies.length).toBeGreaterThan(20);
    for (const { name, operation } of bodies) {
      const [method, path] = name.split(' ') as [string, string];
      const { example } = operation.requestBody.content['application/json'];
      expect([name, typeof example]).toEqual([name, 'object']);
      const somewhere = path
        .replace('{serial}', 'ABCDEF')
        .replace(/\{\w+\}/, /devices\//.test(path) ? 'pump-99' : crypto.randomUUID());
      const { status, body } = await webhook.api(method.toUpperCase(), somewhere, example);
      // What it names need not be there.
      expect([name, status, body?.code, body?.detail]).not.toEqual([
        name,
        400,
        expect.anything(),
        expect.anything(),
      ]);
    }
  });

  test('requires what the server requires', () => {
    const { requestBody } = document.paths['/api/firmwares/metadata'].post;
    const { required } = requestBody.content['application/json'].schema;
    expect([...required].sort()).toEqual(['fileName', 'releaseNote', 's3Path', 'version']);
  });
});

describe('a body with a field that is not known', () => {
  test.each([
    ['POST', '/api/regions', { name: 'x', nmae: 'y' }, 'nmae'],
    ['POST', '/api/devices', { id: 'strict-1', hardware: 'uno', regoin: 'x' }, 'regoin'],
    ['POST', '/api/s3/presigned_upload', { version: '1', fileName: 'a.bin', sha: 'x' }, 'sha'],
    ['POST', '/api/certificates/tokens', { commonName: 'strict-1', lifetime: 5 }, 'lifetime'],
  ])('%s %s names it', async (method, path, body, name) => {
    const answer = await webhook.api(method, path, body);
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request']);
    expect(answer.body.errors).toEqual([{ path: name, message: 'is not known', rule: 'unrecognized_keys' }]);
  });

  test.each([
    [{ name: 'x'.repeat(101) }, { path: 'name', rule: 'too_big.string', values: { limit: 100 } }],
    [
      { name: 'x', timeZone: 'Mars/Olympus' },
      { path: 'timeZone', rule: 'time_zone' },
    ],
    [{}, { path: 'name', rule: 'invalid_type' }],
  ])('tells by rule what is wrong, so that a client can say it in any language: %j', async (body, fault) => {
    expect((await webhook.api('POST', '/api/regions', body)).body.errors).toMatchObject([fault]);
  });

  test('is described as closed', () => {
    const open = operations()
      .map(({ name, operation }) => ({
        name,
        schema: operation.requestBody?.content?.['application/json']?.schema,
      }))
      .filter(({ schema }) => schema)
      .map(({ name, schema }) => ({
        name,
        schema: schema.$ref ? document.components.schemas[schema.$ref.split('/').at(-1)] : schema,
      }))
      .filter(({ schema }) => schema.additionalProperties !== false && !schema.allOf);
    expect(open.map(({ name }) => name)).toEqual([]);
  });
});
