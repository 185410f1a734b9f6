/** The part of EMQX's HTTP API (v5) that the webhook and the tools use, behind an API key. What it lacks is refused by name. */
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import http, { type Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import { ZodError, z } from 'zod';
import { SqlError } from '../sql.ts';
import { ApiError, node } from './api-answers.ts';
import { type Clients, routeClients } from './api-clients.ts';
import { type Publisher, routePublish } from './api-publish.ts';
import { routeResources } from './api-resources.ts';
import { EvaluationError } from './compare.ts';
import { ConfigError, type Configuration, type StandinVersion } from './configuration.ts';
import { testRule } from './rule-test.ts';

export interface ApiOptions extends Clients, Publisher {
  key: string;
  secret: string;
  /** Of `admin`. */
  dashboardPassword: string;
  version: StandinVersion;
  configuration: Configuration;
}

const maxBodyBytes = 8_000_000;

export function createHttpApi(options: ApiOptions): Server {
  const app = new Hono().basePath('/api/v5');
  app.use(bodyLimit({ maxSize: maxBodyBytes, onError: (c) => c.body(null, 500) }));
  /** The token opens nothing here: everything else wants the API key. */
  app.post('/login', async (c) => {
    const given = z.looseObject({}).parse(await c.req.json());
    if (given.username !== 'admin' || given.password !== options.dashboardPassword)
      throw new ApiError(401, 'BAD_USERNAME_OR_PWD', 'Auth failed');
    return c.json({ token: randomUUID() });
  });
  app.use((c, next) => {
    authorize(c.req.header('authorization'), options);
    const type = c.req.header('content-type')?.split(';')[0];
    const hasBody = type !== undefined || Number(c.req.header('content-length') ?? 0) > 0;
    if (/^(POST|PUT)$/.test(c.req.method) && hasBody && type !== 'application/json')
      throw new ApiError(415, 'UNSUPPORTED_MEDIA_TYPE', 'content-type:application/json Required');
    return next();
  });
  app.get('/nodes', (c) => {
    const { version } = options;
    return c.json([{ node, node_status: 'running', version, role: 'core' }]);
  });
  routePublish(app, options);
  routeClients(app, options);
  routeResources(app, options.configuration);
  app.post('/rule_test', async (c) => {
    const row = testRule(await c.req.json());
    if (row === null) return c.json({ code: 'NOT_MATCH', message: 'SQL Not Match' }, 412);
    return c.body(row, 200, { 'content-type': 'application/json' });
  });
  const root = new Hono().route('/', app);
  root.notFound((c) => {
    const message = `the stand-in does not support ${c.req.method} ${c.req.path}`;
    return c.json({ code: 'NOT_SUPPORTED', message }, 404);
  });
  root.onError((error, c) => {
    if (error instanceof HTTPException) return error.getResponse();
    const { code, message, status } = toApiError(error);
    return c.json({ code, message }, status);
  });
  const server = http.createServer(getRequestListener(root.fetch));
  server.keepAliveTimeout = 60_000;
  return server;
}

function toApiError(error: Error): { status: ApiError['status'] | 500; code: string; message: string } {
  if (error instanceof ApiError) return error;
  const known = [ConfigError, SqlError, EvaluationError, SyntaxError].some((kind) => error instanceof kind);
  const message = error instanceof ZodError ? z.prettifyError(error) : error.message;
  if (known || error instanceof ZodError) return { status: 400, code: 'BAD_REQUEST', message };
  return { status: 500, code: 'INTERNAL_ERROR', message };
}

function authorize(header: string | undefined, { key, secret }: ApiOptions): void {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const given = Buffer.from(/^Basic (.*)$/.exec(header ?? '')?.[1] ?? '', 'base64').toString('utf8');
  if (!timingSafeEqual(digest(given), digest(`${key}:${secret}`)))
    throw new ApiError(401, 'BAD_API_KEY_OR_SECRET', 'Check api_key/api_secret');
}
