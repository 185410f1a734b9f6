import net from 'node:net';
import { generate, type IPublishPacket, type Packet, parser } from 'mqtt-packet';
import { afterEach, describe, expect, it } from 'vitest';
import { listen } from '#deploy/lab/primitives/listen.ts';
import { until } from '#deploy/lab/primitives/until.ts';
import { MqttConnection } from './mqtt-connection.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A connection to a peer that says only what a test makes it say, after a CONNACK. */
async function connect(
  options: { keepaliveMs?: number; message?: (payload: string, done: () => void) => void } = {},
) {
  const heard: Packet[] = [];
  let peer: net.Socket | undefined;
  const server = net.createServer((socket) => {
    peer = socket;
    const reader = parser({ protocolVersion: 4 });
    reader.on('packet', (packet) => {
      heard.push(packet);
      if (packet.cmd === 'connect')
        socket.write(generate({ cmd: 'connack', returnCode: 0, sessionPresent: false }));
    });
    socket.on('data', (data) => reader.parse(data));
    socket.on('error', () => {});
  });
  const socket = net.connect(await listen(server), '127.0.0.1');
  let accepted = false;
  let closed: string | null = null;
  const connection = new MqttConnection(
    socket,
    { clientId: 'dev-1', keepaliveMs: options.keepaliveMs ?? 60_000 },
    {
      accepted: () => {
        accepted = true;
      },
      message: (_topic, payload, done) => (options.message ?? (() => done()))(payload.toString(), done),
      closed: (why) => {
        closed = why;
      },
    },
  );
  closers.push(() => {
    socket.destroy();
    peer?.destroy();
    server.close();
  });
  await until('CONNACK', () => accepted);
  const of = (cmd: Packet['cmd']) => heard.filter((packet) => packet.cmd === cmd);
  return { connection, of, say: (bytes: Buffer) => peer!.write(bytes), why: () => closed };
}

const message = (messageId: number, payload = 'x', qos: 0 | 1 | 2 = 1): Buffer =>
  generate({ cmd: 'publish', topic: 'ack', payload, qos, messageId, dup: false, retain: false });

describe('a connection ends when the peer', () => {
  it.each([
    ['sends what is not MQTT', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['sends a packet that only a client may send', generate({ cmd: 'pingreq' })],
    ['sends a message with a QoS that was not subscribed', message(1, 'x', 2)],
    [
      'begins a packet that would fill the memory',
      Buffer.concat([Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]), Buffer.alloc(1_100_000)]),
    ],
  ])('%s', async (_what, bytes) => {
    const { say, why } = await connect();
    say(bytes);
    expect(await until('the end', why)).not.toBe('');
  });

  it('refuses a subscription', async () => {
    const { connection, of, say, why } = await connect();
    let granted = false;
    connection.subscribe(['ack', 'control/command'], () => {
      granted = true;
    });
    await until('SUBSCRIBE', () => of('subscribe')[0]);
    say(generate({ cmd: 'suback', messageId: of('subscribe')[0]!.messageId!, granted: [1, 0x80] }));
    expect(await until('the end', why)).toBe('subscription refused');
    expect(granted).toBe(false);
  });

  it('is silent for longer than a keep-alive', async () => {
    const { of, why } = await connect({ keepaliveMs: 30 });
    expect(await until('the end', why)).toBe('the broker is silent');
    expect(of('pingreq').length).toBeGreaterThan(0);
  });
});

describe('a message', () => {
  it('is acked when it has been dealt with, each in its turn', async () => {
    const begun: string[] = [];
    const release: (() => void)[] = [];
    const { of, say } = await connect({
      message: (payload, done) => {
        begun.push(payload);
        release.push(done);
      },
    });
    say(Buffer.concat([message(1, 'first'), message(2, 'second')]));
    await until('the first', () => begun.length > 0);
    expect([begun, of('puback')]).toEqual([['first'], []]);
    release[0]!();
    await until('the second', () => begun.length > 1);
    await until('the first PUBACK', () => of('puback').length > 0);
    expect(of('puback').map(({ messageId }) => messageId)).toEqual([1]);
    release[1]!();
    await until('both PUBACKs', () => of('puback').length > 1);
  });

  it('that is longer than any of ours is taken, or the broker would send it for ever', async () => {
    const lengths: number[] = [];
    const { of, say } = await connect({
      message: (payload, done) => {
        lengths.push(payload.length);
        done();
      },
    });
    say(message(1, 'x'.repeat(300_000)));
    await until('PUBACK', () => of('puback').length > 0);
    expect(lengths).toEqual([300_000]);
  });

  it('to the broker that is not acked yet holds up a polite end', async () => {
    const { connection, of, say, why } = await connect();
    connection.publish('log', Buffer.from('one'));
    connection.publish('log', Buffer.from('two'));
    const ended = connection.end();
    await until('both', () => of('publish').length === 2);
    expect(of('disconnect')).toEqual([]);
    for (const { messageId } of of('publish') as IPublishPacket[])
      say(generate({ cmd: 'puback', messageId }));
    await until('DISCONNECT', () => of('disconnect').length > 0);
    await ended;
    expect(why()).toBe('closed');
  });
});
