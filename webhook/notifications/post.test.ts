/** Receivers that are hostile, broken or slow, and names that lead inside: real sockets on loopback, which is allowed only where a test says so. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcp, type Server as TcpServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { listen } from '#deploy/lab/primitives/listen.ts';
import { until } from '#deploy/lab/primitives/until.ts';
import { createCourier } from './courier.ts';
import type { Resolve } from './post.ts';

const servers: (Server | TcpServer)[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    if ('closeAllConnections' in server) server.closeAllConnections();
  }
});

function open(server: Server | TcpServer): Promise<number> {
  servers.push(server);
  return listen(server);
}
const receive = (answer: RequestListener) => open(createServer(answer));

const never = new AbortController().signal;
const courier = (allowed: string[], more: { resolve?: Resolve; timeoutMs?: number } = {}) =>
  createCourier({ allowedNetworks: allowed, mail: null, timeoutMs: 5_000, ...more });
const loopback = ['127.0.0.0/8'];
const send = (to: string, by = courier(loopback)) =>
  by.post(new URL(to), { 'X-Test': 'yes' }, '{"a":1}', never);

test('a receiver gets body and headers, and its status is the verdict', async () => {
  const heard: [string | undefined, unknown, string][] = [];
  const port = await receive((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      heard.push([request.method, request.headers['x-test'], body]);
      response.writeHead(request.url === '/no' ? 500 : 202).end('noted');
    });
  });
  expect(await send(`http://127.0.0.1:${port}/`)).toEqual({ status: 202, answer: 'noted', fault: null });
  expect(await send(`http://127.0.0.1:${port}/no`)).toMatchObject({ status: 500, fault: 'refused' });
  expect(heard).toEqual([
    ['POST', 'yes', '{"a":1}'],
    ['POST', 'yes', '{"a":1}'],
  ]);
});

test('loopback is refused by whatever it is called, and never connected to', async () => {
  let connections = 0;
  const port = await open(createTcp(() => connections++));
  const names = ['127.0.0.1', 'localhost', '127.1', '0x7f.1', '2130706433', '0177.0.0.1', '0.0.0.0'];
  const v6 = ['[::1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]'];
  for (const name of [...names, ...v6])
    for (const scheme of ['http', 'https'])
      expect(await send(`${scheme}://${name}:${port}/`, courier([])), name).toMatchObject({
        status: null,
        fault: 'address_refused',
      });
  expect(connections).toBe(0);
});

test('a name with one address inside is refused, though the others are outside', async () => {
  const resolve: Resolve = async () => [
    { address: '1.1.1.1', family: 4 },
    { address: '10.0.0.1', family: 4 },
  ];
  const result = await send('https://mixed.test/', courier([], { resolve }));
  expect(result).toMatchObject({ fault: 'address_refused' });
  expect(result.answer).toContain('10.0.0.1');
});

test('a name that is another one when asked again (DNS rebinding) is asked once, and that address is connected to', async () => {
  let hits = 0;
  const port = await receive((_, response) => {
    hits++;
    response.end('here');
  });
  const answers = ['127.0.0.1', '127.0.0.9'];
  let asked = 0;
  const resolve: Resolve = async () => [{ address: answers[asked++] ?? '10.0.0.1', family: 4 }];
  const result = await send(`http://rebind.test:${port}/`, courier(['127.0.0.1/32'], { resolve }));
  expect([result.fault, asked, hits]).toEqual([null, 1, 1]);
  // And the other way round: what was allowed at first is not what the next try gets.
  expect(await send(`http://rebind.test:${port}/`, courier(['127.0.0.1/32'], { resolve }))).toMatchObject({
    fault: 'address_refused',
  });
  expect(hits).toBe(1);
});

test('the judged address is used even where the system would resolve the name to another', async () => {
  const port = await receive((request, response) => response.end(request.headers.host));
  const resolve: Resolve = async () => [{ address: '127.0.0.1', family: 4 }];
  const { answer } = await send(`http://no-such-name.invalid:${port}/`, courier(loopback, { resolve }));
  expect(answer).toBe(`no-such-name.invalid:${port}`);
});

test('plain http does not leave for the Internet', async () => {
  const resolve: Resolve = async () => [{ address: '1.1.1.1', family: 4 }];
  const result = await send('http://outside.test/', courier([], { resolve }));
  expect(result).toMatchObject({ status: null, fault: 'address_refused' });
});

test('a redirect is a failure, and nobody goes there', async () => {
  let inside = 0;
  const secret = await receive((_, response) => {
    inside++;
    response.end();
  });
  for (const status of [301, 302, 303, 307, 308]) {
    const port = await receive((_, response) =>
      response.writeHead(status, { location: `http://127.0.0.1:${secret}/` }).end(),
    );
    expect(await send(`http://127.0.0.1:${port}/`)).toMatchObject({ status, fault: 'redirected' });
  }
  expect(inside).toBe(0);
});

test('of 10 MB only the beginning is read, and the connection is closed', async () => {
  const chunk = Buffer.alloc(64 * 1024, 'x');
  let closed = false;
  let sent = 0;
  const port = await receive((_, response) => {
    response.on('close', () => {
      closed = true;
    });
    const pour = () => {
      while (!closed && sent < 10 * 1024 * 1024) {
        sent += chunk.length;
        if (!response.write(chunk)) {
          response.once('drain', pour);
          return;
        }
      }
      if (sent >= 10 * 1024 * 1024) response.end();
    };
    pour();
  });
  const result = await send(`http://127.0.0.1:${port}/`);
  expect(result).toMatchObject({ status: 200, fault: null });
  expect(result.answer).toBe('x'.repeat(1_000));
  await until('the connection is closed', () => closed);
  expect(sent).toBeLessThan(10 * 1024 * 1024);
});

test('headers without end are cut off', async () => {
  const port = await open(
    createTcp((socket) => {
      socket.on('error', () => {});
      socket.write('HTTP/1.1 200 OK\r\n');
      socket.write(`X: ${'x'.repeat(1024 * 1024)}\r\n`);
    }),
  );
  expect(await send(`http://127.0.0.1:${port}/`)).toMatchObject({ status: null, fault: 'unreachable' });
});

test.each<[string, (port: { socket: import('node:net').Socket }) => void]>([
  ['says nothing', () => {}],
  ['begins to answer and stops', ({ socket }) => socket.write('HTTP/1.1 200')],
])('one that %s has its time and no more', async (_, act) => {
  const port = await open(
    createTcp((socket) => {
      socket.on('error', () => {});
      act({ socket });
    }),
  );
  const by = courier(loopback, { timeoutMs: 200 });
  expect(await send(`http://127.0.0.1:${port}/`, by)).toMatchObject({ status: null, fault: 'timed_out' });
});

test('one that took it and drips its answer has taken it', async () => {
  const port = await receive((_, response) => {
    response.writeHead(200).write('a');
  });
  const by = courier(loopback, { timeoutMs: 2_000 });
  expect(await send(`http://127.0.0.1:${port}/`, by)).toEqual({ status: 200, answer: 'a', fault: null });
});

test('a name server that hangs, a name that is none, and a port that nobody listens on', async () => {
  const hang = courier([], { timeoutMs: 100, resolve: () => new Promise(() => {}) });
  expect(await send('https://slow.test/', hang)).toMatchObject({ fault: 'timed_out' });
  const none = courier([], { resolve: () => Promise.reject(new Error('ENOTFOUND')) });
  expect(await send('https://none.test/', none)).toMatchObject({ fault: 'name_unresolved' });
  const empty = courier([], { resolve: async () => [] });
  expect(await send('https://empty.test/', empty)).toMatchObject({ fault: 'address_refused' });
  const server = createServer();
  const port = await open(server);
  await new Promise((resolve) => server.close(resolve));
  expect(await send(`http://127.0.0.1:${port}/`)).toMatchObject({ fault: 'unreachable' });
});
