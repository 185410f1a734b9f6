import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { Limiter } from './limiter.ts';
import { readListenerSettings } from './listener-settings.ts';
import { MountStream } from './mount-stream.ts';
import { startSink, startTestBed } from './test-broker.ts';

describe('the bucket', () => {
  test('has a tenth of a second at first, holds a second, and lets one wait for what is owed', () => {
    const limiter = new Limiter(100, 0);
    expect(limiter.take(10, 0)).toBe(0);
    expect(limiter.take(30, 0)).toBe(300);
    expect(limiter.take(0, 100)).toBe(200);
    expect(limiter.take(0, 300)).toBe(0);
    // However long nothing came.
    expect(limiter.take(101, 60_000)).toBe(50);
    expect(limiter.take(10_000, 60_000)).toBe(5_000);
    expect(new Limiter(Number.POSITIVE_INFINITY).take(1e9)).toBe(0);
  });

  test.each([
    ['100/s', '256KB/s', 100, 256 * 1024],
    ['1000/10s', '1MB/1m', 100, 1024 ** 2 / 60],
    ['infinity', '10/ms', Number.POSITIVE_INFINITY, 10_000],
  ])('rates are read as EMQX reads them: %s, %s', (messages, bytes, perSecond, bytesPerSecond) => {
    const conf = `listeners.ssl.default { messages_rate = "${messages}", bytes_rate = "${bytes}" }`;
    expect(readListenerSettings(conf)).toMatchObject({ messagesPerSecond: perSecond, bytesPerSecond });
  });

  test.each(['fast', '100', '0/s', '/s', '10/y'])('%s is no rate', (rate) => {
    expect(() => readListenerSettings(`listeners.ssl.default.messages_rate = "${rate}"`)).toThrow(
      /is not a rate/,
    );
  });
});

test('a device that floods is held to the rate and loses nothing, and another does not notice', async () => {
  const sink = await startSink();
  const bed = await startTestBed(
    {
      connectors: { http: { c: { url: sink.url } } },
      actions: { http: { a: { connector: 'c' } } },
      rule_engine: { rules: { r: { sql: 'SELECT clientid FROM "devices/+/log"', actions: ['http:a'] } } },
    },
    { conf: 'listeners.ssl.default.messages_rate = "200/s"' },
  );
  const rowsOf = (id: string) => sink.requests.filter(({ body }) => body.includes(`"${id}"`));
  const flooding = await bed.online(await bed.ca.leaf('flooding'));
  const other = await bed.online(await bed.ca.leaf('other'));
  const messages = 500;
  const begun = Date.now();
  let flooded = false;
  const flood = Promise.all(
    Array.from({ length: messages }, () => flooding.publishAsync('log', '{}', { qos: 1 })),
  ).then(() => {
    flooded = true;
  });
  const waits: number[] = [];
  while (!flooded) {
    const sent = Date.now();
    const before = rowsOf('other').length;
    await other.publishAsync('log', '{}', { qos: 1 });
    await until('its row', () => rowsOf('other').length > before);
    waits.push(Date.now() - sent);
  }
  await flood;
  await until('every row', () => rowsOf('flooding').length === messages);
  // 20 at once, and what is owed for the rest.
  expect(Date.now() - begun).toBeGreaterThanOrEqual(((messages - 20) / 200) * 1_000 - 100);
  expect(waits.length).toBeGreaterThan(20);
  expect(waits.sort((a, b) => a - b)[Math.floor(waits.length / 2)]).toBeLessThan(100);
  await bed.close();
  await sink.close();
});

test('a peer that does not take the last bytes is cut off', async () => {
  // Takes what it is given and never says so.
  const socket = Object.assign(new Duplex({ read() {}, write() {} }), {
    destroySoon() {
      socket.end();
    },
  }) as unknown as TLSSocket;
  const mount = {
    ...readListenerSettings(''),
    ...{ clientid: 'd', prefix: 'devices/d/', acl: () => true, isBanned: () => false },
    ...{ onRefused() {}, onConnect() {}, onSubscribed() {}, onUnsubscribed() {} },
  };
  const stream = new MountStream(socket, { ...mount, lingerMs: 50 });
  socket.write('the last packet');
  stream.destroy();
  await until('its end', () => socket.destroyed);
});
