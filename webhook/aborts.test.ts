/** Clients that are gone in the middle of something: nobody's fault here, so nothing fails and nothing is logged as if it had. */
import { randomUUID } from 'node:crypto';
import { connect as connectTcp, type Socket } from 'node:net';
import { beforeEach, describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { createLog } from './log.ts';
import { apiToken, webhookToken } from './testing.ts';
import { startSuite } from './testing-suite.ts';

const lines: { level: string; requestId?: string; message: string }[] = [];
const { webhook } = await startSuite({ log: createLog('info', (line) => lines.push(JSON.parse(line))) });
beforeEach(() => {
  lines.length = 0;
});
const faults = () => lines.filter((line) => line.level !== 'info');

/** Sends this and, once all of it is on its way, resets the connection. */
async function sendAndReset(port: number, head: string[], body: string): Promise<void> {
  const socket = await open(port);
  await write(socket, `${head.join('\r\n')}\r\n\r\n${body}`);
  // The server has begun with it when it takes the next connection's request.
  await fetch(`${webhook.copy.url}/healthz`);
  socket.resetAndDestroy();
}
function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(port, '127.0.0.1', () => resolve(socket));
    socket.on('error', reject);
  });
}
const write = (socket: Socket, text: string) => new Promise<void>((done) => socket.write(text, () => done()));
const bearer = `Authorization: Bearer ${apiToken}`;

/** Whether one more event has been refused than now. */
async function eventsRefused(): Promise<() => Promise<boolean>> {
  const count = async () => {
    const text = await (await fetch(`http://127.0.0.1:${webhook.copy.internalPort}/metrics`)).text();
    return /flota_http_requests_total{[^}]*\/emqx\/events[^}]*status="400"} (\d+)/.exec(text)?.[1] ?? '0';
  };
  const before = await count();
  return async () => (await count()) !== before;
}

describe('a body that breaks off', () => {
  const routes: [string, 'port' | 'internalPort', string, string, string][] = [
    ['JSON', 'port', '/api/regions', 'application/json', '{"name":"'],
    ['a login', 'port', '/api/login', 'application/json', '{"email":"'],
    ['a registration', 'port', '/api/firmwares/metadata', 'application/json', '{"name":"'],
    ['CSV', 'port', '/api/devices/import', 'text/csv', 'id,hardware\r\nabort-1,esp32-s3\r\nabort-2'],
    ['an event', 'internalPort', '/emqx/events', 'application/json', '{"event":"'],
  ];
  const framings = ['with a length', 'chunked'] as const;
  const cases = routes.flatMap((route) => framings.map((framing) => ({ route, framing, what: route[0] })));
  test.each(cases)('is no failure of ours: $what, $framing', async ({ route, framing }) => {
    const [, port, path, type, part] = route;
    const id = randomUUID();
    const token = port === 'port' ? bearer : `Authorization: Bearer ${webhookToken}`;
    const head = [
      `POST ${path} HTTP/1.1`,
      'Host: a.example',
      `Content-Type: ${type}`,
      `X-Request-Id: ${id}`,
      token,
    ];
    const length = framing === 'chunked' ? 'Transfer-Encoding: chunked' : 'Content-Length: 5000';
    const chunk = `${Buffer.byteLength(part).toString(16)}\r\n${part}\r\n`;
    const ended =
      port === 'port'
        ? () => lines.some((l) => l.requestId === id && l.message === 'request')
        : await eventsRefused();
    await sendAndReset(webhook.copy[port], [...head, length], framing === 'chunked' ? chunk : part);
    await until('its end', ended);
    expect(faults()).toEqual([]);
    const { body } = await webhook.api('GET', '/api/devices?search=abort-&limit=1');
    expect(body).toEqual({ items: [], total: 0, next: null });
  });
});

test('events that nobody reads any more end with their connection', async () => {
  const sockets = await Promise.all(Array.from({ length: 5 }, () => open(webhook.copy.port)));
  for (const socket of sockets) {
    let text = '';
    socket.on('data', (data) => {
      text += data;
    });
    await write(socket, ['GET /api/live HTTP/1.1', 'Host: a.example', bearer, '', ''].join('\r\n'));
    await until('hello', () => text.includes('event: hello'));
  }
  const name = randomUUID();
  // What is told of is under way while they go.
  const made = webhook.api('POST', '/api/regions', { name });
  for (const socket of sockets) socket.resetAndDestroy();
  expect((await made).status).toBe(201);
  await webhook.device();
  expect(faults()).toEqual([]);
});

test('an answer that nobody takes is no failure of ours', async () => {
  for (let i = 0; i < 10; i += 1) {
    const socket = await open(webhook.copy.port);
    const request = ['GET /api/openapi.json HTTP/1.1', 'Host: a.example', bearer, '', ''].join('\r\n');
    await write(socket, request.repeat(10));
    socket.resetAndDestroy();
  }
  expect((await webhook.api('GET', '/api/openapi.json')).status).toBe(200);
  expect(faults()).toEqual([]);
});
