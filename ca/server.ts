import { X509Certificate } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { z } from 'zod';
import type { LocalAuthority } from './authority.ts';
import {
  CaError,
  type CaErrorCode,
  profileNames,
  type RevocationReason,
  revocationReasons,
} from './client.ts';
import { createFairQueue, type FairQueue, type FairQueueOptions } from './fair-queue.ts';
import { issueKeyPair } from './key-pair.ts';
import { family } from './metrics.ts';

export interface ServiceOptions {
  authority: LocalAuthority;
  host: string;
  /** 0 = any. */
  port: number;
  /** DNS names and IP addresses in the service's own certificate. */
  names: string[];
  /** Common names of the service certificates that may call. */
  callers: string[];
  /** For tests. */
  queue?: FairQueueOptions;
  log?: (level: 'info' | 'error', message: string, fields?: Record<string, unknown>) => void;
}

export interface CaService {
  port: number;
  /** What the authority tells, and the queue before it. */
  metrics(): Promise<string>;
  /** Answers what is underway, then ends every connection. */
  close(): Promise<void>;
}

/**
 * Callers may bring a renewal storm of a whole fleet at once: it waits here, in turns by caller and by device. Beyond these bounds they are told
 * to come again (503 `overloaded`); the webhook keeps what it has asked for until it is answered.
 */
const queueLimits = {
  concurrency: 256,
  maxWaiting: 20_000,
  maxWaitingPerLane: 64,
  maxWaitingBytes: 64 * 1024 * 1024,
};
const maxBodyBytes = 64 * 1024;
const closeGraceMs = 5_000;
const dayMs = 86_400_000;
/** As the alarm IssuingCaEnds: from then on a certificate of a year cannot have its year. */
const endsSoonDays = 400;

/** A node runs what its peers tell it: who may make one has the brokers, and so it is made at the CA itself (`npm run ca -- issue`). */
const served = profileNames.filter((name) => name !== 'broker-node');

const issueSchema = z.strictObject({
  csr: z.string(),
  profile: z.enum(served),
  commonName: z.string().max(64),
  names: z.array(z.string().max(253)).max(50).optional(),
  sameKeyAs: z.string().max(16_384).optional(),
});
const revokeSchema = z.strictObject({
  serial: z.string().regex(/^[0-9A-F]{2,40}$/),
  reason: z.enum(Object.keys(revocationReasons) as [RevocationReason, ...RevocationReason[]]),
});

const headSchema = z.strictObject({ id: z.int().min(0), hash: z.string().regex(/^[0-9a-f]{64}$/) });

const digestSchema = z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/) });

const statuses: Partial<Record<CaErrorCode, number>> = {
  not_allowed: 403,
  not_found: 404,
  certificate_unknown: 404,
  already_revoked: 409,
  head_conflict: 409,
  csr_too_large: 413,
  issuer_expired: 503,
  issuer_missing: 503,
  directory_busy: 503,
  overloaded: 503,
  ca_unavailable: 503,
  lint_failed: 500,
  hierarchy_damaged: 500,
  internal: 500,
};

interface Asked {
  body: unknown;
  sizeBytes: number;
  caller: string;
  queue: FairQueue;
}
type Route = (authority: LocalAuthority, asked: Asked) => Promise<unknown>;
const routes: Record<string, Route> = {
  'GET /trust': (authority) => authority.trust(),
  'GET /crl': async (authority) => ({ crls: await authority.crls() }),
  'GET /healthz': async () => ({ status: 'ok' }),
  'POST /issue': (authority, { body, sizeBytes, caller, queue }) => {
    const request = validate(issueSchema, body);
    return queue.run([caller, request.commonName], sizeBytes, () => authority.issue(request));
  },
  'POST /revoke': (authority, { body }) => {
    const { serial, reason } = validate(revokeSchema, body);
    return authority.revoke(serial, reason);
  },
  'GET /witness': async (authority) => ({ head: await authority.witnessed() }),
  'POST /witness': (authority, { body }) => authority.witness(validate(headSchema, body)),
  'POST /attest': (authority, { body }) => authority.attest(validate(digestSchema, body).sha256),
};

/** The authority behind mutual TLS: only service certificates of ours that are named in `callers` get an answer. */
export async function startService(options: ServiceOptions): Promise<CaService> {
  const { authority, log = () => undefined } = options;
  const tls = {
    minVersion: 'TLSv1.2' as const,
    requestCert: true,
    rejectUnauthorized: true,
  };
  const ownPair = () =>
    issueKeyPair(authority, { profile: 'service', commonName: 'ca.flota', names: options.names });
  const pair = await ownPair();
  let trusted = await authority.trust();
  const secure = (own: typeof pair) => ({
    ...tls,
    ca: trusted.root + trusted.issuing,
    key: own.key,
    cert: own.certificate + own.chain,
  });
  let busy = 0;
  const queue = createFairQueue(options.queue ?? queueLimits);
  const server = createServer(secure(pair), (request, response) => {
    busy += 1;
    response.once('close', () => {
      busy -= 1;
    });
    answer(options, queue, request, response, log).catch(() => response.destroy());
  });
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.headersTimeout = 10_000;
  server.requestTimeout = 20_000;
  server.keepAliveTimeout = 60_000;
  await listen(server, options.port, options.host);
  // A connection that cannot be taken in (no descriptor is left) ends that connection, never the process.
  server.on('error', (error) => log('error', 'a connection could not be taken in', { error }));

  const renewAt = (Date.parse(pair.notBefore) + Date.parse(pair.notAfter)) / 2;
  let expires = renewAt;
  const renew = async () => {
    if (Date.now() < expires) return;
    trusted = await authority.trust();
    const next = await ownPair();
    server.setSecureContext(secure(next));
    expires = (Date.parse(next.notBefore) + Date.parse(next.notAfter)) / 2;
  };
  // crl() makes a new one when the last is a day old, so that it never runs out while we live.
  const work = () =>
    Promise.all([renew(), authority.crl(), warnOfEnd(authority, log)]).catch((error) =>
      log('error', 'daily work failed', { error }),
    );
  let working = work();
  const daily = setInterval(
    () => {
      working = work();
    },
    Math.min(dayMs, Math.max(1_000, renewAt - Date.now())),
  );
  daily.unref();

  return {
    port: (server.address() as AddressInfo).port,
    async metrics() {
      const lines = [
        ...family('flota_ca_waiting', 'gauge', 'Requests that wait for their turn', [['', queue.waiting]]),
        ...family('flota_ca_waiting_bytes', 'gauge', 'Their size', [['', queue.waitingBytes]]),
      ];
      return `${await authority.metrics()}${lines.join('\n')}\n`;
    },
    close: async () => {
      clearInterval(daily);
      await Promise.all([close(server, sockets, () => busy), working]);
    },
  };
}

/** For who has no metrics but reads the log. */
async function warnOfEnd(authority: LocalAuthority, log: NonNullable<ServiceOptions['log']>): Promise<void> {
  const { issuing } = await authority.trust();
  const { validTo } = new X509Certificate(issuing);
  const days = Math.floor((Date.parse(validTo) - Date.now()) / dayMs);
  if (days < endsSoonDays) log('error', 'the issuing CA ends soon', { days });
}

async function answer(
  options: ServiceOptions,
  queue: FairQueue,
  request: IncomingMessage,
  response: ServerResponse,
  log: NonNullable<ServiceOptions['log']>,
): Promise<void> {
  const path = request.url ?? '/';
  try {
    const caller = await identifyCaller(options, request.socket as TLSSocket);
    const route = routes[`${request.method} ${path}`];
    if (!route) throw new CaError('not_found', `there is no ${request.method} ${path.slice(0, 100)}`);
    const { body, sizeBytes } = await readBody(request);
    const result = await route(options.authority, { body, sizeBytes, caller, queue });
    log('info', 'answered', { method: request.method, path, caller });
    send(response, 200, 'application/json', result);
  } catch (error) {
    if (response.destroyed) return;
    options.authority.meter.refuse(error);
    const known = error instanceof CaError ? error : new CaError('internal', 'the CA failed');
    const status = statuses[known.code] ?? 422;
    log(status >= 500 ? 'error' : 'info', 'refused', {
      method: request.method,
      path,
      code: known.code,
      error,
    });
    const problem = {
      type: 'about:blank',
      title: known.code,
      status,
      code: known.code,
      detail: known.message,
    };
    send(response, status, 'application/problem+json', problem);
  }
}

/** Our own records say which profile a certificate has; its extensions could not tell a broker from a service. */
async function identifyCaller(options: ServiceOptions, socket: TLSSocket): Promise<string> {
  const serial = socket.getPeerCertificate().serialNumber ?? '';
  const found = await options.authority.find(serial);
  const allowed =
    found?.record.state === 'issued' &&
    found.record.profile === 'service' &&
    !found.revoked &&
    options.callers.includes(found.record.commonName);
  if (!allowed) throw new CaError('not_allowed', 'this client certificate may not call the CA');
  return found.record.commonName;
}

async function readBody(request: IncomingMessage): Promise<{ body: unknown; sizeBytes: number }> {
  if (request.method !== 'POST') return { body: undefined, sizeBytes: 0 };
  const chunks: Buffer[] = [];
  let size = 0;
  // Left early, the loop would destroy the socket that the refusal has to go through.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBodyBytes)
      throw new CaError('request_invalid', `a request has at most ${maxBodyBytes} bytes`);
    chunks.push(chunk);
  }
  try {
    return { body: JSON.parse(Buffer.concat(chunks).toString('utf8')), sizeBytes: size };
  } catch {
    throw new CaError('request_invalid', 'the body is not JSON');
  }
}

function validate<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`);
  throw new CaError('request_invalid', problems.join('; '));
}

function send(response: ServerResponse, status: number, type: string, body: unknown): void {
  const payload = Buffer.from(JSON.stringify(body));
  response.writeHead(status, {
    'content-type': type,
    'content-length': payload.length,
    'x-content-type-options': 'nosniff',
  });
  response.end(payload);
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function close(server: Server, sockets: ReadonlySet<Socket>, busy: () => number): Promise<void> {
  return new Promise((resolve) => {
    const endAll = () => sockets.forEach((socket) => void socket.destroy());
    const impatient = setTimeout(endAll, closeGraceMs);
    server.close(() => {
      clearTimeout(impatient);
      resolve();
    });
    server.closeIdleConnections();
    // What is left has not finished its handshake, and closeIdleConnections() does not know it.
    if (busy() === 0) endAll();
  });
}
