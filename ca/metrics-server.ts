/** `GET /metrics` on a port of its own, in plain HTTP, for the private network only: it tells numbers and no names of devices. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { family } from './metrics.ts';

export interface MetricsServer {
  port: number;
  close(): Promise<void>;
}

export async function startMetrics(options: {
  host: string;
  /** 0 = any. */
  port: number;
  write: () => Promise<string>;
}): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const answer = (status: number, body: string) =>
      response
        .writeHead(status, {
          'content-type': 'text/plain; version=0.0.4; charset=utf-8',
          'x-content-type-options': 'nosniff',
        })
        .end(body);
    if (request.method !== 'GET' || request.url !== '/metrics') {
      answer(404, 'there is GET /metrics\n');
      return;
    }
    options.write().then(
      (text) => answer(200, `${text}${writeProcess()}`),
      () => answer(500, 'the CA failed\n'),
    );
  });
  await new Promise<void>((resolve, reject) => {
    // It stays: later it keeps a connection that could not be taken in (no descriptor is left) from ending the process.
    server.on('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function writeProcess(): string {
  const lines = [
    ...family('process_resident_memory_bytes', 'gauge', 'Resident memory', [['', process.memoryUsage.rss()]]),
    ...family('process_start_time_seconds', 'gauge', 'When it started, since 1970', [
      ['', Math.round(Date.now() / 1000 - process.uptime())],
    ]),
  ];
  return `${lines.join('\n')}\n`;
}
