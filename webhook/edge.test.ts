/** What the edge of every route promises, whatever the route: walked through the OpenAPI document of a running copy. */
import { randomUUID } from 'node:crypto';
import { connect as connectTcp } from 'node:net';
import { beforeAll, describe, expect, test } from 'vitest';
import { receiveMs } from './listener.ts';
import { apiToken, type Json, startTestWebhook, webhookToken } from './testing.ts';
import { startSuite } from './testing-suite.ts';

const { database, webhook } = await startSuite();
const bearer = { authorization: `Bearer ${apiToken}` };

interface Operation {
  method: string;
  path: string;
  /** Which paths it takes: "/api/devices/import" looks like a device, too. */
  shape: RegExp;
  /** What its body may be; null without one. */
  body: string | null;
  /** Names of the body's properties. */
  fields: string[];
}
let operations: Operation[];
beforeAll(async () => {
  const document: Json = (await webhook.api('GET', '/api/openapi.json')).body;
  operations = Object.entries(document.paths as Record<string, Record<string, Json>>).flatMap(
    ([template, item]) =>
      Object.entries(item).map(([method, { requestBody }]) => {
        const [body = null] = Object.keys(requestBody?.content ?? {});
        const fields = Object.keys(requestBody?.content[body ?? '']?.schema?.properties ?? {});
        const shape = new RegExp(`^${template.replace(/\{\w+\}/g, '[^/]+')}$`);
        return { method: method.toUpperCase(), path: fill(template), shape, body, fields };
      }),
  );
});
const fill = (template: string) => template.replace(/\{\w+\}/g, randomUUID());
const withJson = () => operations.filter((o) => o.body === 'application/json');

interface Told {
  status: number;
  type: string | null;
  allow: string | null;
  code: string;
}
async function call(method: string, path: string, body?: string, type?: string): Promise<Told> {
  const response = await fetch(webhook.copy.url + path, {
    method,
    headers: { ...bearer, ...(type !== undefined && { 'content-type': type }) },
    ...(body !== undefined && { body: Buffer.from(body) }),
  });
  const text = await response.text();
  const { headers, status } = response;
  const isProblem = headers.get('content-type') === 'application/problem+json';
  const code = isProblem ? JSON.parse(text).code : text;
  return { status, type: headers.get('content-type'), allow: headers.get('allow'), code };
}

/** All of them, a few at a time, so that one report names every route that fails. */
async function collect<T>(items: T[], look: (item: T) => Promise<string | null>): Promise<string[]> {
  const wrong: string[] = [];
  for (let at = 0; at < items.length; at += 8) {
    const found = await Promise.all(items.slice(at, at + 8).map(look));
    wrong.push(...found.filter((line) => line !== null));
  }
  return wrong;
}
const told = (where: string, { status, type, code }: Told) => `${where}: ${status} ${type} ${code}`;

/** A request as bytes, and all that comes back until the other side closes. */
function raw(port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(port, '127.0.0.1', () => socket.write(request));
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}
const lines = (...all: string[]) => `${all.join('\r\n')}\r\n\r\n`;

describe('every route', () => {
  test('takes only the media type that it declares', async () => {
    expect(withJson().length).toBeGreaterThan(20);
    const types = ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', 'json', undefined];
    const cases = operations
      .filter((o) => o.body)
      .flatMap((o) => types.filter((type) => type !== o.body).map((type) => ({ ...o, type })));
    const wrong = await collect(cases, async ({ method, path, type }) => {
      const answer = await call(method, path, '{}', type);
      const good = answer.status === 415 && answer.code === 'unsupported_media_type';
      return good ? null : told(`${method} ${path} as ${type}`, answer);
    });
    expect(wrong).toEqual([]);
  });

  test('names the methods that it has to whoever calls another', async () => {
    const all = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'];
    const cases = [...new Set(operations.map((o) => o.path))].flatMap((path) => {
      const has = operations.filter((o) => o.shape.test(path)).map((o) => o.method);
      return all.filter((m) => !has.includes(m)).map((method) => ({ method, path, has }));
    });
    const wrong = await collect(cases, async ({ method, path, has }) => {
      const answer = await call(method, path);
      const allowed = (answer.allow ?? '').split(', ').filter((m) => m !== 'HEAD');
      const named = allowed.join() === [...new Set(has)].sort().join();
      const good = answer.status === 405 && answer.code === 'method_not_allowed' && named;
      return good ? null : told(`${method} ${path} (allow ${answer.allow})`, answer);
    });
    expect(wrong).toEqual([]);
  });

  const deep = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  const inEach = (value: string) => (fields: string[]) =>
    `{${fields.map((name) => `${JSON.stringify(name)}:${value}`).join(',')}}`;
  const bodies: [string, (fields: string[]) => string][] = [
    ['empty', () => ''],
    ['cut off', () => '{"a":'],
    ['no JSON', () => 'undefined'],
    ['null', () => 'null'],
    ['an array', () => '[]'],
    ['a text', () => '"x"'],
    ['of numbers', inEach('7')],
    ['of huge numbers', inEach('1e400')],
    ['of whole numbers that no column holds', inEach('123456789012345678901234567890')],
    ['of lists', inEach('[[]]')],
    ['of objects', inEach('{"__proto__":{"a":1},"constructor":null}')],
    ['of lone surrogates', inEach('"\\ud800"')],
    ['of lone low surrogates', inEach('["x\\udc00x"]')],
    ['of NUL', inEach('"a\\u0000b"')],
    ['with a name that is no text', inEach('{"\\ud800":1}')],
    ['deep', () => deep(2_000)],
    ['very deep', () => deep(200_000)],
    ['deep within', inEach(deep(5_000))],
  ];
  test.each(bodies)('refuses a body that is %s', async (_, write) => {
    const wrong = await collect(withJson(), async ({ method, path, fields }) => {
      const answer = await call(method, path, write(fields), 'application/json');
      const good = answer.status >= 400 && answer.status < 500 && answer.type === 'application/problem+json';
      return good ? null : told(`${method} ${path}`, answer);
    });
    expect(wrong).toEqual([]);
  });

  test('refuses what is no text in its path and its query', async () => {
    const odd = ['%00', '%ED%A0%80', '%', '%zz', '%2e%2e%2f', 'a'.repeat(5_000), '\u{1F980}', '-0', '1e999'];
    const cases = operations
      // The first never ends; the second has no broker to ask here.
      .filter((o) => o.method === 'GET' && !['/api/live', '/api/broker'].includes(o.path))
      .flatMap((o) => odd.map((value) => ({ ...o, value })));
    const wrong = await collect(cases, async ({ path, value }) => {
      const query = `search=${value}&limit=${value}&actor=${value}&from=${value}&code=${value}&tag=${value}`;
      const inQuery = await call('GET', `${path}?${query}`);
      const other = path.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, value);
      const inPath = other === path ? null : await call('GET', other);
      const bad = [inQuery, inPath].find((a) => a && a.status >= 500);
      return bad ? told(`${path} ${value}`, bad) : null;
    });
    expect(wrong).toEqual([]);
  });
});

describe('a number, a date or a flag in an address', () => {
  const wrongOf: Record<string, string[]> = {
    integer: ['', ' ', ' 5', '+5', '5.0', '0x10', '1e2', '0b1', 'NaN', 'Infinity', '-', '9'.repeat(17)],
    'date-time': ['', ' ', '0', '2026-01-01', '2026-01-01T00:00:00'],
    flag: ['', ' ', '1', 'TRUE', 'yes'],
  };
  const kindOf = ({ type, format, enum: of }: Json) =>
    of?.join() === 'true,false' || type === 'boolean' ? 'flag' : (format ?? type);

  test('is refused by its name when it is none, whatever JavaScript makes of it', async () => {
    const document: Json = (await webhook.api('GET', '/api/openapi.json')).body;
    const cases = Object.entries(document.paths as Record<string, Record<string, Json>>).flatMap(
      ([template, item]) =>
        Object.entries(item).flatMap(([method, { parameters = [] }]) =>
          (parameters as Json[]).flatMap(({ name, in: place, schema }) =>
            (wrongOf[kindOf(schema)] ?? []).map((value) => ({ template, method, name, place, value })),
          ),
        ),
    );
    // Of each kind there are some, or the document tells too little to find them.
    expect(cases.length).toBeGreaterThan(200);
    const wrong = await collect(cases, async ({ template, method, name, place, value }) => {
      const text = encodeURIComponent(value);
      const path = place === 'path' ? template.replace(`{${name}}`, text) : template;
      // Nothing in a path is an empty segment, which is another path.
      if (place === 'path' && !value.trim()) return null;
      const isImport = template.endsWith('/import');
      const answer = await webhook.api(
        method.toUpperCase(),
        `${fill(path)}${place === 'query' ? `?${name}=${text}` : ''}`,
        isImport ? 'id,hardware' : undefined,
        isImport ? { ...bearer, 'content-type': 'text/csv' } : bearer,
      );
      const named = answer.body.errors?.some((error: Json) => error.path === name);
      return answer.status === 400 && named ? null : `${method} ${path} ${name}=${value}: ${answer.status}`;
    });
    expect(wrong).toEqual([]);
  });
});

describe('a text that no column holds', () => {
  test('is refused by the field in which it is', async () => {
    const answer = await webhook.api('POST', '/api/regions', '{"name":"a\\ud800","timeZone":"UTC"}');
    expect([answer.status, answer.body.code, answer.body.errors]).toMatchObject([
      400,
      'invalid_request',
      [{ path: 'name' }],
    ]);
    const good = await webhook.api('POST', '/api/regions', `{"name":"\\ud83e\\udd80 ${randomUUID()}"}`);
    expect([good.status, good.body.name.slice(0, 2)]).toEqual([201, '\u{1F980}']);
  });

  test('a year that no calendar of the database has is refused', async () => {
    for (const at of ['0000-01-01T00:00:00Z', '0001-01-01T00:00:00Z', '9999-12-31T23:59:59Z']) {
      const { status } = await webhook.api('GET', `/api/audit?from=${at}&to=${at}`);
      expect([at, status < 500]).toEqual([at, true]);
    }
  });
});

describe('a request that is none', () => {
  test.each([
    ['two Host headers', ['GET /healthz HTTP/1.1', 'Host: a.example', 'Host: b.example']],
    ['two equal Host headers', ['GET /healthz HTTP/1.1', 'Host: a.example', 'Host: a.example']],
    ['no Host header', ['GET /healthz HTTP/1.1']],
    ['a Host that is no name', ['GET /healthz HTTP/1.1', 'Host: a b/../@']],
    ['an address that is none', ['GET http://[ HTTP/1.1', 'Host: a.example']],
    ['a backslash in its path', ['GET /\\..\\x HTTP/1.1', 'Host: a.example']],
    [
      'two lengths',
      ['POST /api/login HTTP/1.1', 'Host: a.example', 'Content-Length: 1', 'Content-Length: 2'],
    ],
  ])('is refused: %s', async (_, head) => {
    for (const port of [webhook.copy.port, webhook.copy.internalPort]) {
      const answer = await raw(port, lines(...head, 'Connection: close'));
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    }
  });

  test.each(['TRACE', 'CONNECT', 'PURGE', 'SEARCH'])('is refused: the method %s', async (method) => {
    for (const port of [webhook.copy.port, webhook.copy.internalPort]) {
      const head = [`${method} /healthz HTTP/1.1`, 'Host: a.example', 'Connection: close'];
      expect(await raw(port, lines(...head))).toMatch(/^HTTP\/1\.1 (405|501) /);
    }
    expect((await fetch(`${webhook.copy.url}/healthz`)).status).toBe(200);
  });
});

describe('whoever sends slowly', () => {
  const start = ['POST /api/login HTTP/1.1', 'Host: a.example', 'Content-Type: application/json'];
  const body = ['Content-Length: 50', '', '{'];
  const event = ['POST /emqx/events HTTP/1.1', 'Host: a.example', `Authorization: Bearer ${webhookToken}`];
  test.each([
    ['nothing', 'port', []],
    ['half a head', 'port', start],
    ['half a body', 'port', [...start, ...body]],
    ['half a chunk', 'port', [...start, 'Transfer-Encoding: chunked', '', '5', '{']],
    ['half an event', 'internalPort', [...event, ...body]],
  ] as const)('is told 408 and closed, after %s', async (_, port, head) => {
    const hasty = await startTestWebhook(database, { receiveMs: 200 });
    expect(await raw(hasty.copy[port], head.join('\r\n'))).toMatch(/^HTTP\/1\.1 408 /);
    await hasty.close();
  });

  test('has half a minute', () => expect(receiveMs).toBe(30_000));
});
