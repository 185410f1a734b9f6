/** An HTTP proxy in front of a part, which lets requests through or fails them in one of the ways in which servers fail. */
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { holdPort, listen } from '../primitives/listen.ts';

/**
 * refuse: nobody listens; hang: requests are taken and never answered; a number: that status at once; lost_answer: the request gets
 * through and is handled, and the connection breaks before the answer.
 */
export type GateFault = 'none' | 'refuse' | 'hang' | 'lost_answer' | 500 | 503;

export interface Gate {
  url: string;
  /** Requests by what became of them; `refuse` sees none. */
  passed: number;
  failed: number;
  /** Takes effect for the next requests. `none` also breaks the connections of those that still hang. */
  fail(fault: GateFault): Promise<void>;
  close(): Promise<void>;
}

export async function startGate(target: string, host = '127.0.0.1'): Promise<Gate> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
  const server = http.createServer(handle);
  server.keepAliveTimeout = 60_000;
  let fault: GateFault = 'none';

  function handle(request: IncomingMessage, response: ServerResponse): void {
    if (typeof fault === 'number') {
      gate.failed++;
      request.resume();
      response.writeHead(fault).end();
      return;
    }
    if (fault === 'hang') {
      gate.failed++;
      request.resume();
      return;
    }
    forward(request, response, fault === 'lost_answer');
  }

  function forward(request: IncomingMessage, response: ServerResponse, loseAnswer: boolean): void {
    const { method, url, headers } = request;
    const onward = http.request(target, { agent, method, path: url, headers }, (answer) => {
      if (loseAnswer) {
        gate.failed++;
        answer.resume();
        response.destroy();
        return;
      }
      gate.passed++;
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => !response.writableFinished && onward.destroy());
    request.pipe(onward);
  }

  async function stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  }

  const held = holdPort(host);
  const gate: Gate = {
    url: `http://${host}:${held.port}`,
    passed: 0,
    failed: 0,
    async fail(next) {
      const last = fault;
      fault = next;
      if (next === 'refuse' && server.listening) await stop();
      else if (next !== 'refuse' && !server.listening) await listen(server, held.port, host);
      else if (last === 'hang') server.closeAllConnections();
    },
    async close() {
      agent.destroy();
      if (server.listening) await stop();
      held.release();
    },
  };
  await gate.fail('none');
  return gate;
}
