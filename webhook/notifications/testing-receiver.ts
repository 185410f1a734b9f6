/** For tests only: who notifications are sent to, on loopback; it keeps what it was told and answers as it is told. */
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import { listen } from '#deploy/lab/primitives/listen.ts';
import type { Json } from '../testing.ts';

export interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  text: string;
  body: Json;
}

export interface Receiver {
  url: string;
  received: Received[];
  /** Default: 200. One that does nothing hangs. */
  answer: (...args: Parameters<RequestListener>) => unknown;
  on(path: string): Received[];
  close(): void;
}

export async function startReceiver(): Promise<Receiver> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const { url: path = '', headers } = request;
      receiver.received.push({ path, headers, text, body: JSON.parse(text) });
      receiver.answer(request, response);
    });
  });
  const receiver: Receiver = {
    url: `http://127.0.0.1:${await listen(server)}`,
    received: [],
    answer: (_, response) => response.end('ok'),
    on: (path) => receiver.received.filter((one) => one.path === path),
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
  return receiver;
}
