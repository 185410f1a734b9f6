import net from 'node:net';
import tls from 'node:tls';
import type { IPublishPacket } from 'mqtt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { brokerEventSchema, mountedTopic } from '#emqx/protocol.ts';
import { loadRules } from '../rules.ts';
import { startBroker } from './broker.ts';
import { acl, once, type Sink, startSink, startTestBed, type TestBed } from './test-broker.ts';
import { createTestCa, type TestPair } from './test-certificates.ts';

const logged: unknown[] = [];
let bed: TestBed;
let sink: Sink;
let one: TestPair;
let two: TestPair;

beforeAll(async () => {
  sink = await startSink();
  bed = await startTestBed(loadRules({ webhookUrl: sink.url, webhookToken: 'token-1' }), {
    log: (...line) => logged.push(line),
  });
  [one, two] = [await bed.ca.leaf('dev-1'), await bed.ca.leaf('dev-2')];
});
afterAll(async () => {
  await bed.close();
  await sink.close();
});

const rowsOf = (event: string, clientid: string) =>
  sink.rows().filter((row) => row.event === event && row.clientid === clientid);

describe('a device with a certificate', () => {
  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'connects under %s and is named by its certificate',
    async (version) => {
      const client = await bed.online(one, {
        clientId: 'dev-2',
        minVersion: version,
        maxVersion: version,
      } as object);
      expect(await bed.client('dev-1')).toMatchObject({ clientid: 'dev-1', connected: true });
      expect(await bed.client('dev-2')).toBeUndefined();
      await client.endAsync();
    },
  );

  test('reaches the webhook with exactly the rows of the contract, behind the token', async () => {
    const client = await bed.online(one);
    await client.subscribeAsync('firmware/download/request', { qos: 1 });
    await client.publishAsync('firmware/download/result', '{"id":"r-1"}', { qos: 1 });
    await client.publishAsync('/cert/renew/request', 'not json {', { qos: 1 });
    await client.publishAsync('data/sensors', Buffer.from([0x7b, 0xff]), { qos: 0 });
    await client.endAsync();
    // Each over a connection of its own, in whatever order.
    await until(
      'all rows',
      () =>
        rowsOf('disconnected', 'dev-1').length > 2 &&
        rowsOf('message', 'dev-1').length > 2 &&
        rowsOf('subscribed', 'dev-1').length > 0,
    );
    for (const row of sink.rows()) expect(brokerEventSchema.safeParse(row).error).toBeUndefined();
    const cert = `SERIALNUMBER=${one.serial},CN=dev-1`;
    const said = rowsOf('message', 'dev-1').sort((a, b) => (String(a.topic) < String(b.topic) ? -1 : 1));
    expect(said).toEqual([
      expect.objectContaining({ topic: 'devices/dev-1//cert/renew/request', payload: 'not json {', cert }),
      expect.objectContaining({ topic: mountedTopic('dev-1', 'data/sensors'), payload: '{\uFFFD', cert }),
      expect.objectContaining({
        topic: mountedTopic('dev-1', 'firmware/download/result'),
        payload: '{"id":"r-1"}',
        cert,
      }),
    ]);
    expect(rowsOf('connected', 'dev-1').at(-1)).toMatchObject({
      cert,
      peername: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    });
    expect(rowsOf('subscribed', 'dev-1')).toEqual([
      {
        event: 'subscribed',
        clientid: 'dev-1',
        topic: mountedTopic('dev-1', 'firmware/download/request'),
        cert,
      },
    ]);
    expect(rowsOf('disconnected', 'dev-1').at(-1)).toMatchObject({ reason: 'normal' });
    const [request] = sink.requests;
    expect(request).toMatchObject({ path: '/emqx/events', headers: { authorization: 'Bearer token-1' } });
  });

  test('gets a command published to its mounted topic under the short topic, and the rules do not echo it', async () => {
    const client = await bed.online(one);
    await client.subscribeAsync('firmware/download/request', { qos: 1 });
    const arrived = once(client, 'message');
    const before = sink.requests.length;
    const topic = mountedTopic('dev-1', 'firmware/download/request');
    expect(await bed.publish({ topic, payload: 'go', qos: 1 })).toBe(200);
    const [short, payload, packet] = (await arrived) as [string, Buffer, IPublishPacket];
    expect([short, String(payload), packet.qos]).toEqual(['firmware/download/request', 'go', 1]);
    await client.publishAsync('log', 'after', { qos: 1 });
    await until('the log row', () => sink.requests.length > before);
    await client.endAsync();
    expect(sink.rows().some((row) => row.topic === topic && row.event === 'message')).toBe(false);
  });

  test('is told of by a subscription row on every SUBSCRIBE, also in a resumed session', async () => {
    const device = await bed.ca.leaf('dev-resumed');
    for (const times of [1, 2]) {
      const client = await bed.online(device, { clean: false });
      await client.subscribeAsync('firmware/download/request', { qos: 1 });
      await until('the row', () => rowsOf('subscribed', 'dev-resumed').length === times);
      await client.endAsync();
    }
  });

  test('takes over its older connection, whose end is told first', async () => {
    const first = await bed.online(two);
    const closed = once(first, 'close');
    const second = await bed.online(two);
    await closed;
    await until('the end of the first', () => rowsOf('disconnected', 'dev-2').length === 1);
    expect(rowsOf('disconnected', 'dev-2')[0]).toMatchObject({ reason: 'discarded' });
    expect((await bed.client('dev-2'))?.connected).toBe(true);
    await second.endAsync();
  });

  test('is thrown out also by a connection in its name that breaks at once, and not left open and forgotten', async () => {
    const device = await bed.online(two);
    const closed = once(device, 'close');
    const socket = tls.connect({
      ...{ host: '127.0.0.1', port: bed.broker.mqttPort, servername: 'localhost', ca: bed.ca.ca },
      ...{ key: two.key, cert: two.cert },
    });
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    // CONNECT, and what is no packet.
    socket.write(Buffer.from('100c00044d5154540402003c00004000', 'hex'));
    await closed;
    await until('nobody', async () => (await bed.client('dev-2')) === undefined);
    const back = await bed.online(two);
    expect((await bed.client('dev-2'))?.connected).toBe(true);
    await back.endAsync();
  });

  test('leaves a will under its own prefix when its connection breaks', async () => {
    const client = await bed.online(one, {
      will: { topic: 'log', payload: Buffer.from('gone'), qos: 1, retain: false },
    });
    client.stream.destroy();
    await until('the will', () =>
      sink.rows().some((row) => row.payload === 'gone' && row.topic === 'devices/dev-1/log'),
    );
  });
});

describe('an offline device', () => {
  test('finds what was published meanwhile, unless it has expired, and at most as many as fit', async () => {
    const small = await startTestBed({}, { conf: 'mqtt.max_mqueue_len = 3' });
    const device = await small.ca.leaf('dev-away');
    const topic = mountedTopic('dev-away', 'control/command');
    const client = await small.online(device, { clean: false });
    await client.subscribeAsync('control/command', { qos: 1 });
    await client.endAsync();
    await until('it is away', async () => !(await small.client('dev-away'))?.connected);
    const send = (payload: string, properties?: object) =>
      small.publish({ topic, payload, qos: 1, ...(properties && { properties }) });
    for (const payload of ['1', '2', '3']) expect(await send(payload)).toBe(200);
    expect(await send('expired', { message_expiry_interval: 0 })).toBe(200);
    expect(await send('4', { message_expiry_interval: 60 })).toBe(200);
    const got: string[] = [];
    const back = small.connect(device, { clean: false });
    back.on('message', (_topic, payload) => got.push(String(payload)));
    await until('the newest that fit', () => got.includes('4'));
    expect(got).toEqual(['3', '4']);
    expect((await small.api('DELETE', '/clients/dev-away')).status).toBe(204);
    expect(await small.client('dev-away')).toBeUndefined();
    expect(await send('5')).toBe(202);
    await small.close();
  });
});

test('no command is lost when connections break or are taken over at any moment', async () => {
  const device = await bed.ca.leaf('dev-shaky');
  const got = new Set<string>();
  const sent: string[] = [];
  for (let round = 0; round < 12; round++) {
    const client = bed.connect(device, { clean: false });
    client.on('error', () => {});
    client.on('message', (_topic, payload) => got.add(String(payload)));
    await once(client, 'connect');
    if (round === 0) await client.subscribeAsync('control/command', { qos: 1 });
    const publishing = Array.from({ length: 10 }, (_, i) => {
      sent.push(`${round}-${i}`);
      const message = {
        topic: mountedTopic('dev-shaky', 'control/command'),
        payload: `${round}-${i}`,
        qos: 1,
      };
      return bed.publish(message);
    });
    if (round % 3 === 0) client.stream.destroy();
    for (const status of await Promise.all(publishing)) expect(status).toBe(200);
    if (round % 3 === 1) client.stream.destroy();
  }
  await until('every command', () => got.size === sent.length);
});

describe('an attacker', () => {
  test('without a certificate is refused', async () => {
    await refused(bed, { ca: bed.ca.ca });
  });

  test("with another CA's certificate for the same name is refused", async () => {
    const foreign = await createTestCa('Foreign');
    const pair = await foreign.leaf('dev-1');
    await refused(bed, { ca: bed.ca.ca, key: pair.key, cert: pair.cert });
  });

  test('who has no TLS is refused', async () => {
    const socket = net.connect(bed.broker.mqttPort, '127.0.0.1');
    socket.write(Buffer.from([0x10, 0x0c, 0, 4, 77, 81, 84, 84, 4, 2, 0, 60, 0, 0]));
    socket.on('error', () => {});
    await once(socket, 'close');
  });

  test('with a name that is a wildcard or has a slash is refused', async () => {
    for (const name of ['+', '#', 'dev-1/x']) {
      const client = bed.connect(await bed.ca.leaf(name));
      client.on('error', () => {});
      await once(client, 'close');
      expect(client.connected).toBe(false);
    }
  });

  test("cannot subscribe to wildcards or to another device's topics, also not beside an allowed one", async () => {
    const client = await bed.online(one);
    const topics = [
      '#',
      '+/#',
      'devices/dev-2/ack',
      'devices/#',
      'firmware/download/#',
      '$SYS/#',
      'log',
      'ack',
    ];
    const granted = await client.subscribeAsync(topics, { qos: 1 }).catch((error) => error.packet.granted);
    const codes = granted.map((grant: number | { qos: number }) =>
      typeof grant === 'number' ? grant : grant.qos,
    );
    expect(codes).toEqual([128, 128, 128, 128, 128, 128, 128, 1]);
    expect(await bed.publish({ topic: mountedTopic('dev-2', 'ack'), payload: 'x' })).toBe(202);
    await client.endAsync();
  });

  test("cannot publish as another device or on the webhook's topics: it is acknowledged and goes nowhere", async () => {
    const victim = await bed.online(two);
    await victim.subscribeAsync('ack', { qos: 1 });
    const heard: string[] = [];
    victim.on('message', (topic) => heard.push(topic));
    const client = await bed.online(one);
    const before = sink.requests.length;
    for (const qos of [0, 1, 2] as const)
      for (const topic of [
        'devices/dev-2/log',
        '../dev-2/log',
        '/log',
        'ack',
        'firmware/download/request',
        '$SYS/x',
      ])
        await client.publishAsync(topic, 'evil', { qos });
    await client.publishAsync('log', 'last', { qos: 2 });
    await bed.publish({ topic: mountedTopic('dev-2', 'ack'), payload: 'real', qos: 1 });
    await until('the last one', () =>
      sink
        .rows()
        .slice(before)
        .some((row) => row.payload === 'last'),
    );
    await until('the real ack', () => heard.length > 0);
    expect(heard).toEqual(['ack']);
    expect(
      sink
        .rows()
        .slice(before)
        .filter((row) => row.payload === 'evil'),
    ).toEqual([]);
    await Promise.all([client.endAsync(), victim.endAsync()]);
  });

  test("cannot leave a will on another device's topic", async () => {
    const before = sink.requests.length;
    const will = {
      topic: 'devices/dev-2/log',
      payload: Buffer.from('evil will'),
      qos: 1 as const,
      retain: false,
    };
    const client = await bed.online(one, { will });
    const ends = rowsOf('disconnected', 'dev-1').length;
    client.stream.destroy();
    await until('its end', () => rowsOf('disconnected', 'dev-1').length > ends);
    await (await bed.online(one)).publishAsync('log', 'afterwards', { qos: 1 });
    await until('the next row', () =>
      sink
        .rows()
        .slice(before)
        .some((row) => row.payload === 'afterwards'),
    );
    expect(sink.requests.slice(before).some(({ body }) => body.includes('evil will'))).toBe(false);
  });

  test('who announces a packet of 200 MB is cut off before it is held', async () => {
    const socket = tls.connect({
      host: '127.0.0.1',
      port: bed.broker.mqttPort,
      ...one,
      ca: bed.ca.ca,
      servername: 'localhost',
    });
    await once(socket, 'secureConnect');
    socket.on('error', () => {});
    socket.resume();
    socket.write(Buffer.from([0x10, 0x0c, 0, 4, 77, 81, 84, 84, 4, 2, 0, 60, 0, 0]));
    socket.write(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x64]));
    await once(socket, 'close');
    await until(
      'its end is told',
      () => rowsOf('disconnected', 'dev-1').at(-1)?.reason === 'frame_too_large',
    );
  });

  test('who sends no MQTT at all is cut off, and the broker goes on', async () => {
    const socket = tls.connect({
      host: '127.0.0.1',
      port: bed.broker.mqttPort,
      ...one,
      ca: bed.ca.ca,
      servername: 'localhost',
    });
    await once(socket, 'secureConnect');
    socket.on('error', () => {});
    socket.resume();
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await once(socket, 'close');
    await (await bed.online(one)).endAsync();
  });

  test('who speaks MQTT 5 is told that the stand-in does not', async () => {
    const client = bed.connect(one, { protocolVersion: 5 });
    const [error] = await once(client, 'error');
    expect(String(error)).toMatch(/unsupported protocol version/i);
    expect(logged).toContainEqual([
      ...['warn', 'connection refused'],
      { clientid: 'dev-1', reason: expect.stringMatching(/MQTT 5.*3\.1\.1/) },
    ]);
  });
});

describe('starting', () => {
  test('on a taken port rejects with the system error and leaves nothing open', async () => {
    const server = await bed.ca.leaf('broker', ['localhost']);
    const options = {
      host: '127.0.0.1',
      tls: { key: server.key, cert: server.cert, ca: bed.ca.ca },
      acl,
      config: {},
      apiKey: 'k',
      apiSecret: 's',
    };
    await expect(
      startBroker({ ...options, mqttPort: bed.broker.mqttPort, apiPort: 0 }),
    ).rejects.toMatchObject({ code: 'EADDRINUSE' });
    const free = await startBroker({ ...options, mqttPort: 0, apiPort: 0 });
    await free.close();
    await expect(
      startBroker({ ...options, mqttPort: free.mqttPort, apiPort: bed.broker.apiPort }),
    ).rejects.toMatchObject({ code: 'EADDRINUSE' });
    const again = await startBroker({ ...options, mqttPort: free.mqttPort, apiPort: free.apiPort });
    await again.close();
  });
});

async function refused(bed: TestBed, options: tls.ConnectionOptions): Promise<void> {
  const socket = tls.connect({
    host: '127.0.0.1',
    port: bed.broker.mqttPort,
    servername: 'localhost',
    ...options,
  });
  let data = 0;
  socket.on('data', (chunk) => {
    data += chunk.length;
  });
  // Under TLS 1.3 a client believes itself connected until the server's answer to its certificate.
  socket.on('error', () => {});
  socket.write(Buffer.from([0x10, 0x0c, 0, 4, 77, 81, 84, 84, 4, 2, 0, 60, 0, 0]));
  await once(socket, 'close');
  expect(data).toBe(0);
}
