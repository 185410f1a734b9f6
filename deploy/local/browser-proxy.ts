/** For tests only: an HTTP proxy between a browser and everything, whose line can be slow, or cut with all that is under way. */
import { createServer, type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { Transform } from 'node:stream';
import { listen } from '../lab/primitives/listen.ts';

export interface Line {
  /** For Playwright's `proxy.server`. */
  server: string;
  /** Of each upload; null is as fast as it goes. */
  setUploadRate(bytesPerSecond: number | null): void;
  /** Breaks every connection and lets none through until it is mended. */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

export async function openLine(): Promise<Line> {
  const sockets = new Set<Socket>();
  let rate: number | null = null;
  let down = false;

  const server = createServer((asked, answer) => {
    const { hostname, port, pathname, search } = new URL(asked.url!);
    const { method, headers } = asked;
    const onward = request(
      { hostname, port, method, headers, path: pathname + search },
      (given: IncomingMessage) => {
        answer.writeHead(given.statusCode!, given.headers);
        given.pipe(answer);
        given.on('error', () => answer.destroy());
      },
    );
    onward.on('error', () => answer.destroy());
    answer.on('close', () => onward.destroy());
    asked.pipe(slow(() => rate)).pipe(onward);
  });
  server.on('connection', (socket) => {
    if (down) return socket.destroy();
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  const port = await listen(server);
  const hangUp = () => {
    for (const socket of sockets) socket.destroy();
  };

  return {
    server: `http://127.0.0.1:${port}`,
    setUploadRate(bytesPerSecond) {
      rate = bytesPerSecond;
    },
    cut() {
      down = true;
      hangUp();
    },
    mend() {
      down = false;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        hangUp();
      }),
  };
}

function slow(rate: () => number | null): Transform {
  return new Transform({
    transform(chunk: Buffer, _, done) {
      const bytesPerSecond = rate();
      const pass = () => done(null, chunk);
      if (bytesPerSecond === null) pass();
      else setTimeout(pass, (chunk.length / bytesPerSecond) * 1000);
    },
  });
}
