import type { IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { listen } from '#deploy/lab/primitives/listen.ts';

export interface Exchange {
  req: IncomingMessage;
  res: ServerResponse;
  image: Buffer;
  /** The range asked for; the whole image when none was. */
  from: number;
  to: number;
}

/** What to do with one request instead of answering it properly. */
export type Answer = (exchange: Exchange) => void;

/** An HTTPS server that serves one image by ranges, until a test makes it hostile. */
export class FileServer {
  image: Buffer = Buffer.alloc(0);
  /** Used up one per request; then `always`. */
  readonly next: Answer[] = [];
  always: Answer = honest;
  readonly requests: { path: string; range: string | undefined }[] = [];
  connections = 0;
  readonly port: number;
  readonly #server: https.Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: https.Server, port: number) {
    this.#server = server;
    this.port = port;
    server.on('secureConnection', (socket: Socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('tlsClientError', () => {});
    server.on('request', (req: IncomingMessage, res: ServerResponse) => {
      const { range } = req.headers;
      this.requests.push({ path: req.url ?? '', range });
      const match = /^bytes=(\d+)-(\d+)$/.exec(range ?? '');
      const from = match ? Number(match[1]) : 0;
      const to = match ? Math.min(this.image.length, Number(match[2]) + 1) : this.image.length;
      (this.next.shift() ?? this.always)({ req, res, image: this.image, from, to });
    });
  }

  static async start(input: { key: string; certificate: string }): Promise<FileServer> {
    const server = https.createServer({ key: input.key, cert: input.certificate });
    return new FileServer(server, await listen(server));
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  url(path = '/image.bin?signature=1'): string {
    return `https://127.0.0.1:${this.port}${path}`;
  }

  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.dropConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

export const honest: Answer = ({ req, res, image, from, to }) => {
  if (!req.headers.range) {
    res.writeHead(200, { 'content-length': image.length }).end(image);
    return;
  }
  if (from >= image.length) {
    res.writeHead(416, { 'content-range': `bytes */${image.length}` }).end();
    return;
  }
  res
    .writeHead(206, {
      'content-length': to - from,
      'content-range': `bytes ${from}-${to - 1}/${image.length}`,
    })
    .end(image.subarray(from, to));
};

/** Everything, whatever was asked for. */
export const wholeInstead: Answer = ({ res, image }) => {
  res.writeHead(200, { 'content-length': image.length }).end(image);
};

export const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  ({ res }) => {
    res.writeHead(code, headers).end('no');
  };

/** Promises everything, sends a part, and breaks the connection. */
export const cutAfter =
  (bytes: number): Answer =>
  ({ res, image, from, to }) => {
    res.writeHead(206, {
      'content-length': to - from,
      'content-range': `bytes ${from}-${to - 1}/${image.length}`,
    });
    res.write(image.subarray(from, Math.min(to, from + bytes)), () => res.socket?.destroy());
  };

/** Promises everything, sends a part, and falls silent. */
export const stallAfter =
  (bytes: number): Answer =>
  ({ res, image, from, to }) => {
    res.writeHead(206, {
      'content-length': to - from,
      'content-range': `bytes ${from}-${to - 1}/${image.length}`,
    });
    res.write(image.subarray(from, Math.min(to, from + bytes)));
  };

/** A shorter range than was asked for, honestly labelled. */
export const shortRange =
  (bytes: number): Answer =>
  ({ res, image, from, to }) => {
    const end = Math.min(to, from + bytes);
    res
      .writeHead(206, {
        'content-length': end - from,
        'content-range': `bytes ${from}-${end - 1}/${image.length}`,
      })
      .end(image.subarray(from, end));
  };

/** The right label on more bytes than it names. */
export const overlong: Answer = ({ res, image, from, to }) => {
  const surplus = Buffer.alloc(5000, 0xee);
  res
    .writeHead(206, {
      'content-length': to - from + surplus.length,
      'content-range': `bytes ${from}-${to - 1}/${image.length}`,
    })
    .end(Buffer.concat([image.subarray(from, to), surplus]));
};

/** Bytes from somewhere else, labelled as such. */
export const wrongRange: Answer = ({ res, image }) => {
  res
    .writeHead(206, { 'content-length': 100, 'content-range': `bytes 7-106/${image.length}` })
    .end(image.subarray(7, 107));
};

/** Sends slowly, `bytes` at a time, for as long as somebody listens. */
export const trickle =
  (bytes: number, everyMs: number): Answer =>
  ({ res, image, from, to }) => {
    res.writeHead(206, {
      'content-length': to - from,
      'content-range': `bytes ${from}-${to - 1}/${image.length}`,
    });
    let at = from;
    const timer = setInterval(() => {
      const end = Math.min(to, at + bytes);
      res.write(image.subarray(at, end));
      at = end;
      if (at < to) return;
      clearInterval(timer);
      res.end();
    }, everyMs);
    res.on('close', () => clearInterval(timer));
  };
