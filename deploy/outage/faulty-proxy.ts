/** An HTTP proxy on loopback that lets requests through, or fails them in one of the ways in which servers fail. */
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * refuse: nobody listens; hang: requests are taken and never answered; a number: that status at once; answer_lost: the request gets
 * through and is handled, and the connection breaks before the answer.
 */
export type Fault = 'none' | 'refuse' | 'hang' | 'answer_lost' | 500 | 503;

export interface FaultyProxy {
  url: string;
  /** Requests by what became of them; `refuse` sees none. */
  passed: number;
  failed: number;
  /** Takes effect for the next requests. `none` also breaks the connections of those that still hang. */
  fail(fault: Fault): Promise<void>;
  close(): Promise<void>;
}

/** `target` may say later where requests go. Port 0: any. */
export async function startFaultyProxy(
  target: string | (() => string),
  options: { host?: string; port?: number; fault?: Fault } = {},
): Promise<FaultyProxy> {
  const host = options.host ?? '127.0.0.1';
  const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
  const server = http.createServer(handle);
  server.keepAliveTimeout = 60_000;
  let fault: Fault = 'none';

  function handle(request: IncomingMessage, response: ServerResponse): void {
    if (typeof fault === 'number') {
      proxy.failed++;
      request.resume();
      response.writeHead(fault).end();
      return;
    }
    if (fault === 'hang') {
      proxy.failed++;
      request.resume();
      return;
    }
    forward(request, response, fault === 'answer_lost');
  }

  function forward(request: IncomingMessage, response: ServerResponse, loseAnswer: boolean): void {
    const { method, url, headers } = request;
    const base = new URL(typeof target === 'string' ? target : target());
    const onward = http.request(base, { agent, method, path: url, headers }, (answer) => {
      if (loseAnswer) {
        proxy.failed++;
        answer.resume();
        response.destroy();
        return;
      }
      proxy.passed++;
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => !response.writableFinished && onward.destroy());
    request.pipe(onward);
  }

  async function listen(port: number): Promise<number> {
    server.listen(port, host);
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }
  async function stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  }

  const port = await listen(options.port ?? 0);
  const proxy: FaultyProxy = {
    url: `http://${host}:${port}`,
    passed: 0,
    failed: 0,
    async fail(next) {
      const last = fault;
      fault = next;
      if (next === 'refuse' && server.listening) await stop();
      else if (next !== 'refuse' && !server.listening) await listen(port);
      else if (last === 'hang') server.closeAllConnections();
    },
    async close() {
      agent.destroy();
      if (server.listening) await stop();
    },
  };
  await proxy.fail(options.fault ?? 'none');
  return proxy;
}
