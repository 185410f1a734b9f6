/** The part of EMQX's HTTP API (v5) that the webhook and the tools use, behind an API key. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import http, { type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { banRoutes } from './api-banned.ts';
import { clientRoutes } from './api-clients.ts';
import { configurationRoutes } from './api-configuration.ts';
import { type ApiParts, badRequest, type Reply, type Route } from './api-route.ts';
import { ConfigError } from './configuration.ts';
import { newMessageId } from './event-columns.ts';
import { type ApiMessage, problemsOf, readMessage } from './publish-request.ts';
import { testRule } from './rule-test.ts';

const maxBodyBytes = 8_000_000;
const unknownPath =
  '<html><head><title>404 - NOT FOUND</title></head><body><h1>404 - NOT FOUND</h1></body></html>';

export function createHttpApi(parts: ApiParts): Server {
  const routes = toRoutes(parts);
  const server = http.createServer((request, response) => {
    answer(request, routes, parts)
      .catch(
        (error): Reply =>
          error instanceof ConfigError
            ? badRequest(error.message)
            : { status: 500, body: { code: 'INTERNAL_ERROR', message: String(error) } },
      )
      .then((reply) => send(response, reply))
      // An answer that cannot be written ends its connection only.
      .catch(() => response.destroy());
  });
  server.keepAliveTimeout = 60_000;
  return server;
}

function toRoutes(parts: ApiParts) {
  const routes: Route[] = [
    ['POST /publish', ({ body }) => publishOne(parts, body)],
    ['POST /publish/bulk', ({ body }) => publishBulk(parts, body)],
    ['POST /rule_test', ({ body }) => testRule(body)],
    ['GET /nodes', () => ({ status: 200, body: [showNode(parts)] })],
    ...clientRoutes(parts),
    ...banRoutes(parts),
    ...configurationRoutes(parts.configuration, parts.engine),
  ];
  return routes.map(([pattern, handler]) => {
    const [method, path] = pattern.split(' ') as [string, string];
    return {
      method,
      text: path === '/configs',
      path: new RegExp(`^${path.replaceAll(/:\w+/g, '([^/]+)')}$`),
      handler,
    };
  });
}

async function answer(
  request: IncomingMessage,
  routes: ReturnType<typeof toRoutes>,
  parts: ApiParts,
): Promise<Reply> {
  const url = new URL(request.url ?? '/', 'http://broker');
  const body = await readBody(request);
  const path = url.pathname.startsWith('/api/v5/')
    ? decodeURIComponent(url.pathname.slice('/api/v5'.length))
    : '';
  if (path === '/status' && request.method === 'GET') return status(url.searchParams, parts);
  if (path === '/login' && request.method === 'POST') return logIn(body, parts);
  const known = routes.filter((route) => route.path.test(path));
  if (known.length === 0) return { status: 404, headers: { 'content-type': 'text/html' }, body: unknownPath };
  const route = known.find(({ method }) => method === request.method);
  if (!route)
    return { status: 405, headers: { allow: [...new Set(known.map(({ method }) => method))].join(', ') } };
  const refusal = unauthorized(request.headers.authorization, parts);
  if (refusal) return refusal;
  if (body === null) return { status: 500 };
  let content: unknown = {};
  if (request.method !== 'GET' && request.method !== 'DELETE') {
    const type = request.headers['content-type']?.split(';')[0]?.trim();
    if (route.text && type === 'text/plain') content = body.toString('utf8');
    else if (type !== 'application/json' && (body.length > 0 || type !== undefined))
      return {
        status: 415,
        body: { code: 'UNSUPPORTED_MEDIA_TYPE', message: 'content-type:application/json Required' },
      };
    else
      try {
        if (body.length > 0) content = JSON.parse(body.toString('utf8'));
      } catch {
        return badRequest('Invalid json message received');
      }
  }
  return route.handler({ params: route.path.exec(path)!.slice(1), query: url.searchParams, body: content });
}

const nodeName = 'emqx@127.0.0.1';

/** Strangers were told the version until e5.8.11, 6.0.3, 6.1.4 and 6.2.2. */
function status(query: URLSearchParams, { version }: ApiParts): Reply {
  if (query.get('format') !== 'json')
    return {
      status: 200,
      headers: { 'content-type': 'text/plain' },
      body: `Node ${nodeName} is started\nemqx is running`,
    };
  const told = version === '5.8.9' ? { rel_vsn: `v${version}` } : {};
  return {
    status: 200,
    body: { ...told, node_name: nodeName, broker_status: 'started', app_status: 'running' },
  };
}

function showNode({ version }: ApiParts) {
  const edition = version === '5.8.9' ? 'Opensource' : 'Enterprise';
  return { node: nodeName, node_status: 'running', version, edition, role: 'core' };
}

/** The token opens nothing here: everything else wants the API key. */
function logIn(body: Buffer | null, { dashboardPassword, version }: ApiParts): Reply {
  let given: { username?: unknown; password?: unknown } | null;
  try {
    given = JSON.parse(String(body));
  } catch {
    return badRequest('Invalid json message received');
  }
  if (given?.username !== 'admin' || given.password !== dashboardPassword)
    return { status: 401, body: { code: 'BAD_USERNAME_OR_PWD', message: 'Auth failed' } };
  const token = randomBytes(32).toString('base64url');
  return {
    status: 200,
    body: { token, version, license: { edition: 'opensource' }, role: 'administrator' },
  };
}

function unauthorized(header: string | undefined, { key, secret }: ApiParts): Reply | null {
  const refuse = (code: string, message: string): Reply => ({
    status: 401,
    headers: { 'www-authenticate': 'Basic Realm="emqx-dashboard"' },
    body: { code, message },
  });
  if (header?.startsWith('Bearer ')) return refuse('BAD_TOKEN', 'Get a token by POST /login');
  if (!header?.startsWith('Basic '))
    return refuse('AUTHORIZATION_HEADER_ERROR', 'Support authorization: basic/bearer ');
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const given = Buffer.from(header.slice('Basic '.length), 'base64').toString('utf8');
  return timingSafeEqual(digest(given), digest(`${key}:${secret}`))
    ? null
    : refuse('BAD_API_KEY_OR_SECRET', 'Check api_key/api_secret');
}

const noSubscribers = { message: 'no_matching_subscribers', reason_code: 16 };

async function publishOne(parts: ApiParts, body: unknown): Promise<Reply> {
  const problems = problemsOf(body, 'root');
  if (problems.length > 0) return badRequest(problems.length === 1 ? problems[0] : problems);
  const message = readMessage(body as Record<string, unknown>);
  if ('message' in message) return { status: 400, body: message };
  const routed = await parts.publish(message);
  return routed ? { status: 200, body: { id: newMessageId() } } : { status: 202, body: noSubscribers };
}

/** Everything is checked before anything is sent; then in order. */
async function publishBulk(parts: ApiParts, body: unknown): Promise<Reply> {
  if (!Array.isArray(body)) return badRequest('a list of messages is needed');
  if (body.length === 0) return { status: 500, body: { code: 'INTERNAL_ERROR', message: 'empty_batch' } };
  const problems = body.flatMap((item, i) => problemsOf(item, `root.${i + 1}`));
  if (problems.length > 0) return badRequest(problems.length === 1 ? problems[0] : problems);
  const messages: ApiMessage[] = [];
  for (const item of body) {
    const message = readMessage(item);
    if ('message' in message) return { status: 400, body: message };
    messages.push(message);
  }
  const routed = await Promise.all(messages.map((message) => parts.publish(message)));
  return {
    status: routed.every(Boolean) ? 200 : 202,
    body: routed.map((ok) => (ok ? { id: newMessageId() } : noSubscribers)),
  };
}

/** Null when it is too large; the rest is read and thrown away, so that the answer is seen. */
async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes <= maxBodyBytes) chunks.push(chunk);
  }
  return bytes > maxBodyBytes ? null : Buffer.concat(chunks);
}

function send(response: ServerResponse, { status, body, headers }: Reply): void {
  const text = typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body);
  response.writeHead(status, {
    ...(text && typeof body !== 'string' ? { 'content-type': 'application/json' } : {}),
    ...headers,
    ...(status === 204 ? {} : { 'content-length': String(Buffer.byteLength(text)) }),
  });
  response.end(text);
}
