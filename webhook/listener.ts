/** An HTTP listener for one of the apps: how long a request may take to come, and what is told to whoever sends none. */
import { createServer, type Server } from 'node:http';
import { getRequestListener, RequestError } from '@hono/node-server';
import { AppError, toProblem } from './errors.ts';
import type { Receiver } from './events/receiver.ts';
import type { Log } from './log.ts';

/** Longer than the proxy (60 s) and the load balancer (300 s) in front keep theirs: were this the first to close, a request could meet the end. */
const keepAliveMs = 310_000;
/** From a request's first byte to its last, its head included; then 408, and the connection is closed. */
export const receiveMs = 30_000;

export interface ListenOptions {
  host: string;
  port: number;
  receiveMs?: number | undefined;
  /** Asked first; what it does not take is the app's. */
  receiver?: Receiver;
}

/** Rejects with EADDRINUSE when the port is taken. */
export async function openListener(
  app: { fetch: unknown },
  log: Log,
  { host, port, receiveMs: limitMs = receiveMs, receiver }: ListenOptions,
): Promise<Server> {
  const times = {
    requestTimeout: limitMs,
    headersTimeout: limitMs,
    connectionsCheckingInterval: Math.min(5_000, limitMs / 4),
    keepAliveTimeout: keepAliveMs,
  };
  const rest = getRequestListener(app.fetch as never, {
    errorHandler: (error) => answerUnreadable(error, log),
  });
  const server = createServer(times, (request, response) => {
    if (!receiver?.(request, response)) void rest(request, response);
  });
  // Nothing tunnels through here; without a listener Node closes the connection and says nothing.
  server.on('connect', (_, socket) => {
    socket.on('error', () => {});
    socket.end(
      'HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  // A connection that cannot be taken in (no file descriptor is left, for one) ends that connection, never the process.
  server.on('error', (error) => log('error', 'a connection could not be taken in', { error }));
  return server;
}

/** What comes before any app: a request whose address or Host no URL can be made of. */
function answerUnreadable(error: unknown, log: Log): Response {
  const unreadable = error instanceof RequestError;
  if (!unreadable) log('error', 'a request failed outside the app', { error });
  const problem = toProblem(
    unreadable
      ? new AppError('invalid_request', `The request cannot be read: ${error.message}.`)
      : new AppError('internal', 'Something went wrong on our side.'),
  );
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { 'Content-Type': 'application/problem+json', 'X-Content-Type-Options': 'nosniff' },
  });
}

/** Answers under way are finished; connections that only wait are ended. */
export async function closeListener(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const hurry = setTimeout(() => server.closeAllConnections(), 2_000);
  await closed;
  clearTimeout(hurry);
}
