import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { listen } from '../../lab/primitives/listen.ts';
import { allowOrigin, answerPreflight } from './cors.ts';
import { errorXml, S3Error } from './errors.ts';
import { serveMultipart } from './multipart.ts';
import { type Objects, openObjects } from './objects.ts';
import { parameter, parseTarget, type RequestTarget } from './request-target.ts';
import { deleteObject, getObject, type ObjectRequest, putObject } from './requests.ts';
import { verifySignature } from './signature.ts';
import { openUploads, type Uploads } from './uploads.ts';

export interface StoreOptions {
  host: string;
  /** Everything is kept below it. */
  dir: string;
  /** For browsers, with CORS; 0 = any. */
  httpPort: number;
  /** For devices; 0 = any. */
  httpsPort: number;
  /** PEM; cert may hold leaf and chain. */
  tls: { key: string; cert: string };
  bucket: string;
  accessKeyId: string;
  secretAccessKey: string;
  region: string;
  corsOrigins: string[] | '*';
  /** Milliseconds since 1970; for tests. */
  now?: () => number;
  log?: (level: 'info' | 'error', message: string, fields?: Record<string, unknown>) => void;
}

export interface Store {
  httpPort: number;
  httpsPort: number;
  /** Ends every connection at once; uploads that were underway leave nothing behind. */
  close(): Promise<void>;
}

interface Kept {
  objects: Objects;
  uploads: Uploads;
}

const idleMs = 60_000;

/** Listens on both ports; rejects with the socket's own error (EADDRINUSE …) when it cannot, and nothing stays open. */
export async function startStore(options: StoreOptions): Promise<Store> {
  const objects = openObjects(options.dir);
  const kept = { objects, uploads: openUploads(options.dir, objects) };
  const underway = new Set<Promise<void>>();
  const handler = (cors: boolean) => (request: IncomingMessage, response: ServerResponse) => {
    const work = answer(options, kept, cors, request, response)
      .catch(() => void response.destroy())
      .finally(() => underway.delete(work));
    underway.add(work);
  };
  const http = prepare(createServer(), handler(true));
  const https = prepare(createTlsServer({ ...options.tls, minVersion: 'TLSv1.2' }), handler(false));
  // A connection that cannot be taken in (no descriptor is left) ends that connection, never the process.
  for (const server of [http, https])
    server.on('error', (error) => options.log?.('error', 'store listener failed', { error }));
  const httpSockets = trackSockets(http);
  const httpsSockets = trackSockets(https);
  const close = async () => {
    await Promise.all([stop(http, httpSockets), stop(https, httpsSockets)]);
    await Promise.allSettled(underway);
  };
  try {
    const httpPort = await listen(http, options.httpPort, options.host);
    const httpsPort = await listen(https, options.httpsPort, options.host);
    // Only now: until the ports are ours, these may be the uploads of another instance on this directory.
    await objects.sweep();
    return { httpPort, httpsPort, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function answer(
  options: StoreOptions,
  kept: Kept,
  cors: boolean,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const requestId = randomBytes(8).toString('hex').toUpperCase();
  response.setHeader('x-amz-request-id', requestId);
  // Whoever uploaded it chose its type; a browser must not make a page of it by its content.
  response.setHeader('x-content-type-options', 'nosniff');
  try {
    const allowed = cors && allowOrigin(request, response, options.corsOrigins);
    if (request.method === 'OPTIONS') return answerPreflight(request, response, allowed);
    await serve(options, kept, request, response);
  } catch (error) {
    // The peer has gone, in the middle of the upload or of the answer.
    if (response.destroyed || response.headersSent || request.errored) {
      response.destroy();
      return;
    }
    const known =
      error instanceof S3Error ? error : new S3Error('InternalError', 'We encountered an internal error.');
    if (known !== error) options.log?.('error', 'store failed', { requestId, error });
    sendError(known, request, response, requestId);
  }
}

async function serve(options: StoreOptions, kept: Kept, request: IncomingMessage, response: ServerResponse) {
  const method = request.method ?? '';
  const target = parseTarget(request.url ?? '/');
  const headers = singleHeaders(request);
  const now = (options.now ?? Date.now)();
  const payloadHash = verifySignature({ method, target, headers }, options, now);
  if (target.bucket !== options.bucket) {
    throw new S3Error('NoSuchBucket', 'The specified bucket does not exist', {
      details: { BucketName: target.bucket },
    });
  }
  if (target.key === undefined) {
    if (method !== 'HEAD') throw new S3Error('NotImplemented', 'Of a bucket this store answers HEAD only');
    response.writeHead(200, { 'x-amz-bucket-region': options.region });
    response.end();
    return;
  }
  refuseSubresources(target);
  const header = (name: string) => headers.get(name) ?? parameter(target.query, name);
  const work: ObjectRequest = {
    request,
    response,
    target: { ...target, key: target.key },
    payloadHash,
    header,
    ...kept,
  };
  if (target.query.has('uploads') || target.query.has('uploadId')) return serveMultipart(work);
  if (method === 'PUT') return putObject(work);
  if (method === 'GET' || method === 'HEAD') return getObject(work);
  if (method === 'DELETE') return deleteObject(work);
  throw new S3Error('MethodNotAllowed', 'The specified method is not allowed against this resource.');
}

/** `?acl`, `?tagging`, `?versionId` … ask for something other than the object. */
function refuseSubresources(target: RequestTarget): void {
  const known =
    /^(x-amz-|x-id$|uploads$|uploadId$|partNumber$|response-(content-type|content-disposition|cache-control)$)/i;
  const unknown = [...target.query.keys()].find((name) => !known.test(name));
  if (unknown !== undefined)
    throw new S3Error('NotImplemented', `This store does not know the parameter ${unknown}`);
}

/** A header that comes twice could be read by one party and signed by the other. */
function singleHeaders(request: IncomingMessage): Map<string, string> {
  const headers = new Map<string, string>();
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    const name = (request.rawHeaders[index] ?? '').toLowerCase();
    if (headers.has(name)) throw new S3Error('InvalidRequest', `The header ${name} is there twice`);
    headers.set(name, request.rawHeaders[index + 1] ?? '');
  }
  return headers;
}

function sendError(
  error: S3Error,
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
): void {
  const body =
    request.method === 'HEAD' ? '' : errorXml(error, (request.url ?? '').split('?')[0] ?? '', requestId);
  const headers = {
    ...error.headers,
    'content-type': 'application/xml',
    'content-length': Buffer.byteLength(body),
  };
  // A client that waits for 100 Continue keeps its body; the connection cannot be used for anything else then.
  if (request.headers.expect !== undefined) response.setHeader('connection', 'close');
  response.writeHead(error.status, headers);
  response.end(body);
}

function prepare<T extends Server>(
  server: T,
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): T {
  server.on('request', handler);
  server.on('checkContinue', handler);
  // An upload may take as long as it moves; a connection that does not is closed.
  server.requestTimeout = 0;
  server.headersTimeout = 15_000;
  server.keepAliveTimeout = idleMs;
  server.setTimeout(idleMs);
  return server;
}

function stop(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    // closeAllConnections() does not know sockets that are still in their TLS handshake.
    for (const socket of sockets) socket.destroy();
  });
}

function trackSockets(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
}
