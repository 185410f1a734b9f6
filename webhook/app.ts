/** The public app (REST API and console) and the internal one (what the broker sends). Only here errors become HTTP. */
import { randomUUID } from 'node:crypto';
import type { HttpBindings } from '@hono/node-server';
import { sql } from 'drizzle-orm';
import type { ErrorHandler, Context as HonoContext } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { compress } from 'hono/compress';
import { matchedRoutes } from 'hono/route';
import { createAsyncApi } from '#emqx/asyncapi.ts';
import product from '../package.json' with { type: 'json' };
import { answerError } from './answer-error.ts';
import { approvalRoutes } from './approvals/routes.ts';
import { auditRoutes } from './audit/routes.ts';
import { accountRoutes } from './auth/account-routes.ts';
import { type AccessTable, createGuard, readAccess } from './auth/guard.ts';
import { oidcRoutes } from './auth/oidc/routes.ts';
import { ownTokenRoutes } from './auth/own-token-routes.ts';
import { authRoutes } from './auth/routes.ts';
import { secondFactorRoutes } from './auth/second-factor-routes.ts';
import { sessionCookie } from './auth/session.ts';
import { brokerRoutes } from './broker/routes.ts';
import { certificateRoutes } from './certificates/routes.ts';
import { claimRoutes } from './claims/routes.ts';
import { type ConditionTable, heedConditions, readConditions } from './conditional.ts';
import { serveConsole } from './console.ts';
import type { Context } from './context.ts';
import { crashRoutes } from './crashes/routes.ts';
import { deploymentRoutes } from './deployments/routes.ts';
import { readDeprecations, tellDeprecated } from './deprecation.ts';
import { groupRoutes } from './devices/group-routes.ts';
import { moveRoutes } from './devices/move-routes.ts';
import { placeRoutes } from './devices/place-routes.ts';
import { deviceRoutes } from './devices/routes.ts';
import { nameOperations } from './docs/operations.ts';
import { writeDocs } from './docs/page.ts';
import { type BodyTypes, checkBody, readBodyTypes, refuseSecondHost, refuseUnrouted } from './edge.ts';
import { AppError } from './errors.ts';
import { deadLetterRoutes } from './events/dead-letter-routes.ts';
import type { Ingest } from './events/ingest.ts';
import { eventPath } from './events/receiver.ts';
import { patchRoutes } from './firmware/patches/routes.ts';
import { firmwareRoutes } from './firmware/routes.ts';
import { sealingRoutes } from './firmware/sealing/routes.ts';
import { uploadRoutes } from './firmware/uploads/routes.ts';
import { freezeRoutes } from './freezes/routes.ts';
import { type AppEnv, createRouter } from './http.ts';
import { answerOnce } from './idempotency/idempotency.ts';
import { jobRoutes } from './jobs/routes.ts';
import { liveRoutes } from './live/routes.ts';
import { inRequest, type Log } from './log.ts';
import { metricsRoutes } from './metrics/routes.ts';
import { linkNextPage, readPagedRoutes } from './next-page.ts';
import { feedRoutes } from './notifications/feed-routes.ts';
import { notificationRoutes } from './notifications/routes.ts';
import { onboardingRoutes } from './onboarding/routes.ts';
import { overviewRoutes } from './overview/routes.ts';
import { policyRoutes } from './policies/routes.ts';
import { limitRate } from './rate-limit.ts';
import { sbomRoutes } from './sbom/routes.ts';
import { maxSbomBytes } from './sbom/sbom.ts';
import { searchRoutes } from './search/routes.ts';
import { securityHeaders } from './security-headers.ts';
import { deviceDataRoutes } from './telemetry/routes.ts';
import { trendRoutes } from './trends/routes.ts';
import { vulnerabilityRoutes } from './vulnerabilities/routes.ts';

/** API bodies are small; files go to the store and not through here. */
const maxApiBodyBytes = 1024 * 1024;
/** But for a list of devices, an SBOM, and what feeds say. */
const maxImportBytes = maxSbomBytes;
const takesMore = /^\/api\/(devices\/import|firmware\/[^/]+\/(sbom|vex)|vulnerabilities\/feed)$/;

const description = [
  'Firmware updates over the air. Within a major version nothing that a client may rely on is taken away: paths, parameters and fields stay,',
  'bodies need nothing new. Answers may get more fields, and their enumerations more values: read what you know and pass over the rest.',
  'A page of a list that goes on has the next one in its field `next` (a `cursor`) and in the header `Link` (`rel="next"`).',
].join(' ');
const documentInfo = {
  openapi: '3.1.0',
  info: { title: 'Flota', version: product.version, description },
};
const securitySchemes = {
  session: { type: 'apiKey', in: 'cookie', name: sessionCookie },
  bearer: { type: 'http', scheme: 'bearer' },
} as const;

export function createPublicApp(context: Context, ingest: Ingest) {
  const base = createRouter();
  prepare(base, context, 'public');
  base.use(securityHeaders(context));
  // Not of event streams: the middleware knows them by their type.
  base.use(compress());
  base.use('/api/*', async (c, next) => {
    await next();
    c.header('Cache-Control', 'no-store');
  });
  const [limit, limitImport] = [limitBody(maxApiBodyBytes), limitBody(maxImportBytes)];
  base.use('/api/*', (c, next) => (takesMore.test(c.req.path) ? limitImport(c, next) : limit(c, next)));
  let table: AccessTable = new Map();
  let bodies: BodyTypes = new Map();
  let conditions: ConditionTable = new Map();
  let paged = new Set<string>();
  let deprecations: ReturnType<typeof readDeprecations> = new Map();
  base.use(
    '/api/*',
    createGuard(context, () => table),
    ...(context.requestsPerMinute ? [limitRate(context.requestsPerMinute)] : []),
    checkBody(() => bodies),
    answerOnce(context),
    linkNextPage(() => paged),
    tellDeprecated(() => deprecations),
    heedConditions(() => conditions),
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
    .route('/', oidcRoutes(context))
    .route('/', accountRoutes(context))
    .route('/', ownTokenRoutes(context))
    .route('/', secondFactorRoutes(context))
    .route('/', firmwareRoutes(context))
    .route('/', uploadRoutes(context))
    .route('/', patchRoutes(context))
    .route('/', deviceRoutes(context))
    .route('/', placeRoutes(context))
    .route('/', groupRoutes(context))
    .route('/', deviceDataRoutes(context))
    .route('/', deadLetterRoutes(context, ingest))
    .route('/', deploymentRoutes(context))
    .route('/', approvalRoutes(context))
    .route('/', sealingRoutes(context))
    .route('/', crashRoutes(context))
    .route('/', freezeRoutes(context))
    .route('/', policyRoutes(context))
    .route('/', claimRoutes(context))
    .route('/', jobRoutes(context))
    .route('/', searchRoutes(context))
    .route('/', certificateRoutes(context))
    .route('/', auditRoutes(context))
    .route('/', liveRoutes(context))
    .route('/', moveRoutes(context))
    .route('/', overviewRoutes(context))
    .route('/', trendRoutes(context))
    .route('/', onboardingRoutes(context))
    .route('/', brokerRoutes(context))
    .route('/', notificationRoutes(context))
    .route('/', sbomRoutes(context))
    .route('/', vulnerabilityRoutes(context))
    .route('/', feedRoutes(context));
  // Made once: they cost more than any other answer, and take no login.
  let made: { document: object; page: string; asyncApi: object } | null = null;
  const describe = () => {
    if (!made) {
      const document = nameOperations(app.getOpenAPI31Document(documentInfo));
      made = { document, page: writeDocs(document), asyncApi: createAsyncApi() };
    }
    return made;
  };
  app.get('/api/openapi.json', (c) => c.json(describe().document));
  app.get('/api/asyncapi.json', (c) => c.json(describe().asyncApi));
  app.get('/api/docs', (c) => c.html(describe().page));
  if (context.localRoutes) app.route('/', context.localRoutes(context));
  table = readAccess(app);
  bodies = readBodyTypes(app);
  conditions = readConditions(app);
  paged = readPagedRoutes(app);
  deprecations = readDeprecations(app);
  app.all('/api/*', (c) => {
    throw refuseUnrouted(app, c);
  });
  if (context.consoleDir) serveConsole(app, context.consoleDir);
  return app;
}

/** Its type is all that the console imports. */
export type App = ReturnType<typeof createPublicApp>;

/** What is on the internal port beside the events. */
export function createInternalApp(context: Context) {
  const app = createRouter();
  prepare(app, context, 'internal');
  app.use((c, next) => {
    c.header('X-Content-Type-Options', 'nosniff');
    return next();
  });
  app.get('/healthz', (c) => c.text('ok'));
  app.all(eventPath, (c) => {
    c.header('Allow', 'POST');
    throw new AppError('method_not_allowed', `${eventPath} takes POST.`);
  });
  return app.route('/', metricsRoutes(context));
}

function limitBody(maxBytes: number) {
  return bodyLimit({
    maxSize: maxBytes,
    onError: () => {
      throw new AppError('body_too_large', `The body is larger than ${maxBytes} bytes.`);
    },
  });
}

function prepare(app: ReturnType<typeof createRouter>, context: Context, listener: string): void {
  const { log, metrics } = context;
  app.use(async (c, next) => {
    const given = c.req.header('x-request-id') ?? '';
    // A proxy's id is carried on, unless it is something else that would end in our logs.
    const requestId = /^[A-Za-z0-9_-]{8,64}$/.test(given) ? given : randomUUID();
    c.set('requestId', requestId);
    c.header('X-Request-Id', requestId);
    const start = performance.now();
    await inRequest(requestId, next);
    const ms = performance.now() - start;
    const { status } = c.res;
    const route = matchedRoutes(c).find((r) => r.method !== 'ALL')?.path ?? 'none';
    metrics.count('flota_http_requests_total', {
      listener,
      method: c.req.method,
      route,
      status: String(status),
    });
    metrics.observe('flota_http_request_seconds', ms / 1000, { listener });
    // The query may hold anything, so the path alone; events are too many for a line each.
    if (listener !== 'public' || !c.req.path.startsWith('/api/')) return;
    const { method, path } = c.req;
    const caller = c.get('caller')?.name;
    log('info', 'request', { requestId, method, path, status, ms: Math.round(ms), caller });
  });
  app.use((c, next) => {
    refuseSecondHost((c.env as unknown as HttpBindings).incoming);
    return next();
  });
  app.onError(onError(log));
  app.notFound((c) => onError(log)(refuseUnrouted(app, c), c));
}

function onError(log: Log): ErrorHandler<AppEnv> {
  return (error, c) => {
    const cause = hasBrokenOff(c, error)
      ? new AppError('invalid_request', 'The body broke off.', { cause: error })
      : error;
    const { method, path } = c.req;
    const { status, headers, body } = answerError(cause, log, {
      method,
      path,
      requestId: c.get('requestId'),
    });
    return c.body(body, status as 400, headers);
  };
}

/** Node tells of a client that is gone in the middle of its body by the code that a lost database connection has, too. */
function hasBrokenOff(c: HonoContext<AppEnv>, error: unknown): boolean {
  const { incoming } = c.env as unknown as HttpBindings;
  const code = (error as { code?: unknown } | null)?.code;
  return code === 'ECONNRESET' && incoming.destroyed && !incoming.complete;
}
