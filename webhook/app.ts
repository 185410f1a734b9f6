/** The public app (REST API and console) and the internal one (what the broker sends). Only here errors become HTTP. */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { serveStatic } from '@hono/node-server/serve-static';
import { sql } from 'drizzle-orm';
import type { ErrorHandler, Hono, NotFoundHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import { secureHeaders } from 'hono/secure-headers';
import { auditRoutes } from './audit/routes.ts';
import { accountRoutes } from './auth/account-routes.ts';
import { type AccessTable, createGuard, readAccess } from './auth/guard.ts';
import { authRoutes } from './auth/routes.ts';
import { sessionCookie } from './auth/session.ts';
import { certificateRoutes } from './certificates/routes.ts';
import type { Context } from './context.ts';
import { isUnavailable, isUnstorableText } from './db/connect.ts';
import { deploymentRoutes } from './deployments/routes.ts';
import { deviceRoutes } from './devices/routes.ts';
import { AppError, toProblem } from './errors.ts';
import type { Ingest } from './events/ingest.ts';
import { eventRoutes } from './events/routes.ts';
import { firmwareRoutes } from './firmware/routes.ts';
import { type AppEnv, createRouter } from './http.ts';
import { liveRoutes } from './live/routes.ts';
import type { Log } from './log.ts';

/** API bodies are small; files go to the store and not through here. */
const maxApiBodyBytes = 1024 * 1024;

const securitySchemes = {
  session: { type: 'apiKey', in: 'cookie', name: sessionCookie },
  bearer: { type: 'http', scheme: 'bearer' },
} as const;

export function createPublicApp(context: Context) {
  const base = createRouter();
  prepare(base, context.log);
  base.use(
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: ["'self'"],
        // Uploads and downloads go to the file store, wherever that is.
        connectSrc: ["'self'", 'http:', 'https:'],
        imgSrc: ["'self'", 'data:'],
        styleSrc: ["'self'", "'unsafe-inline'"],
        frameAncestors: ["'none'"],
      },
    }),
  );
  base.use('/api/*', limitBody());
  let table: AccessTable = new Map();
  base.use(
    '/api/*',
    createGuard(context, () => table),
  );
  for (const [name, scheme] of Object.entries(securitySchemes)) {
    base.openAPIRegistry.registerComponent('securitySchemes', name, scheme);
  }
  base.get('/healthz', (c) => c.text('ok'));
  base.get('/readyz', async (c) => {
    await context.db.execute(sql`select 1`).catch((cause: unknown) => {
      throw new AppError('database_unavailable', 'The database does not answer.', { cause });
    });
    return c.text('ready');
  });
  const app = base
    .route('/', authRoutes(context))
    .route('/', accountRoutes(context))
    .route('/', firmwareRoutes(context))
    .route('/', deviceRoutes(context))
    .route('/', deploymentRoutes(context))
    .route('/', certificateRoutes(context))
    .route('/', auditRoutes(context))
    .route('/', liveRoutes(context))
    .doc31('/api/openapi.json', {
      openapi: '3.1.0',
      info: { title: 'Flota', version: '1', description: 'Firmware updates over the air.' },
    });
  table = readAccess(app);
  app.all('/api/*', () => {
    throw new AppError('not_found', 'There is no such route.');
  });
  if (context.consoleDir) serveConsole(app, context.consoleDir);
  return app;
}

/** Its type is all that the console imports. */
export type App = ReturnType<typeof createPublicApp>;

export function createInternalApp(context: Context, ingest: Ingest) {
  const app = createRouter();
  prepare(app, context.log);
  app.use(limitBody());
  app.get('/healthz', (c) => c.text('ok'));
  return app.route('/', eventRoutes(context, ingest));
}

function limitBody() {
  return bodyLimit({
    maxSize: maxApiBodyBytes,
    onError: () => {
      throw new AppError('body_too_large', `The body is larger than ${maxApiBodyBytes} bytes.`);
    },
  });
}

function prepare(app: ReturnType<typeof createRouter>, log: Log): void {
  app.use(async (c, next) => {
    const requestId = randomUUID();
    c.set('requestId', requestId);
    c.header('X-Request-Id', requestId);
    await next();
  });
  app.onError(answerError(log));
  app.notFound(answerNotFound);
}

function answerError(log: Log): ErrorHandler<AppEnv> {
  return (error, c) => {
    const known = toAppError(error);
    const problem = toProblem(known);
    if (problem.status >= 500) {
      log(problem.status === 500 ? 'error' : 'warn', `${c.req.method} ${c.req.path} failed`, {
        requestId: c.get('requestId'),
        error,
      });
    }
    // The rest of the body is not read, so nothing else can come over this connection.
    if (problem.status === 413) c.header('Connection', 'close');
    if (known.retryAfterS) c.header('Retry-After', String(known.retryAfterS));
    if (problem.status === 401) c.header('WWW-Authenticate', 'Bearer');
    c.header('Content-Type', 'application/problem+json');
    return c.body(JSON.stringify(problem), problem.status as 400);
  };
}

function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof HTTPException && error.status === 400) {
    return new AppError('malformed_json', error.message || 'The body is not JSON.', { cause: error });
  }
  if (isUnstorableText(error)) {
    return new AppError('invalid_request', 'Text must not hold the character U+0000.', { cause: error });
  }
  if (isUnavailable(error)) {
    return new AppError('database_unavailable', 'The database does not answer.', { cause: error });
  }
  return new AppError('internal', 'Something went wrong on our side.', { cause: error });
}

const answerNotFound: NotFoundHandler<AppEnv> = (c) => {
  c.header('Content-Type', 'application/problem+json');
  return c.body(JSON.stringify(toProblem(new AppError('not_found', 'There is no such page.'))), 404);
};

/** Built files by name (hashed ones for good), and index.html for every page of the console. */
function serveConsole(app: Hono<AppEnv>, dir: string): void {
  app.use('/assets/*', async (c, next) => {
    await next();
    if (c.res.ok) c.header('Cache-Control', 'public, max-age=31536000, immutable');
  });
  app.use('*', serveStatic({ root: dir }));
  app.get('*', async (c, next) => {
    const index = join(dir, 'index.html');
    if (c.req.path.startsWith('/assets/') || !existsSync(index)) return next();
    return c.html(await readFile(index, 'utf8'));
  });
}
