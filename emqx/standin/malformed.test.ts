/** A packet that is not well-formed ends the connection that it came on, and nothing else. */
import { Duplex } from 'node:stream';
import tls, { type TLSSocket } from 'node:tls';
import type { MqttClient } from 'mqtt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { MountStream } from './mount-stream.ts';
import { once, startTestBed, type TestBed } from './test-broker.ts';
import type { TestPair } from './test-certificates.ts';

let bed: TestBed;
let attacker: TestPair;
let witness: MqttClient;
let witnessed: string | undefined;
beforeAll(async () => {
  bed = await startTestBed({});
  attacker = await bed.ca.leaf('attacker');
  witness = await bed.online(await bed.ca.leaf('witness'));
  await witness.subscribeAsync('ack', { qos: 1 });
  witnessed = (await bed.client('witness'))?.connected_at;
});
afterAll(() => bed?.close());

async function open(): Promise<TLSSocket> {
  const socket = tls.connect({
    ...{ host: '127.0.0.1', port: bed.broker.mqttPort, servername: 'localhost' },
    ...{ key: attacker.key, cert: attacker.cert, ca: bed.ca.ca },
  });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  return socket;
}

const connect = '100c00044d5154540402003c0000';
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

const afterConnect = {
  'PUBACK without an id': '40 00',
  'PUBREC without an id': '50 00',
  'PUBREL without an id': '62 00',
  'PUBCOMP without an id': '70 00',
  'PUBACK of half an id': '40 01 ff',
  'PUBACK whose id is the next packet': '40 00 c0 00',
  'PUBACK with a tail': '40 03 00 01 00',
  'PUBACK with id 0': '40 02 00 00',
  'SUBSCRIBE to nothing': '82 02 00 01',
  'SUBSCRIBE without an id': '82 00',
  'SUBSCRIBE with id 0': '82 08 00 00 00 03 61 63 6b 01',
  'SUBSCRIBE to an empty topic': '82 05 00 01 00 00 01',
  'SUBSCRIBE with QoS 3': '82 08 00 01 00 03 61 63 6b 03',
  'SUBSCRIBE without its flags': '80 08 00 01 00 03 61 63 6b 01',
  'UNSUBSCRIBE from nothing': 'a2 02 00 01',
  'UNSUBSCRIBE with half a topic': 'a2 05 00 01 00 09 61',
  'PUBLISH without a topic': '30 00',
  'PUBLISH to an empty topic': '30 03 00 00 61',
  'PUBLISH to a wildcard': '30 05 00 03 6c 2f 23',
  'PUBLISH to a topic with U+0000': '30 05 00 03 6c 00 67',
  'PUBLISH with QoS 3': '36 07 00 03 6c 6f 67 00 01',
  'PUBLISH with QoS 1 and no id': '32 05 00 03 6c 6f 67',
  'PUBLISH with QoS 1 and id 0': '32 07 00 03 6c 6f 67 00 00',
  'PUBLISH with a topic longer than itself': '30 05 00 ff 6c 6f 67',
  'PINGREQ with a body': 'c0 01 00',
  'DISCONNECT with a body': 'e0 01 00',
  'a length of five bytes': '30 ff ff ff ff 01',
  'packet type 0': '00 00',
  'packet type 15': 'f0 00',
  'what only a broker says: CONNACK': '20 02 00 00',
  'what only a broker says: SUBACK': '90 03 00 01 00',
  'what only a broker says: UNSUBACK': 'b0 02 00 01',
  'what only a broker says: PINGRESP': 'd0 00',
  'a second CONNECT': connect,
};
const beforeConnect = {
  'PUBLISH before CONNECT': '30 05 00 03 6c 6f 67',
  'PUBACK before CONNECT': '40 00',
  'PUBREL before CONNECT': '62 02 00 01',
  'SUBSCRIBE before CONNECT': '82 08 00 01 00 03 61 63 6b 01',
  'UNSUBSCRIBE before CONNECT': 'a2 07 00 01 00 03 61 63 6b',
  'PINGREQ before CONNECT': 'c0 00',
  'CONNECT cut short': '10 04 00 04 4d 51',
  'CONNECT of another protocol': '10 0c 00 04 48 54 54 50 04 02 00 3c 00 00',
  'CONNECT of version 9': '10 0c 00 04 4d 51 54 54 09 02 00 3c 00 00',
  'CONNECT with a password and no user name': '10 0f 00 04 4d 51 54 54 04 42 00 3c 00 00 00 01 61',
  'CONNECT of MQTT 5 with broken properties': '10 0f 00 04 4d 51 54 54 05 02 00 3c 04 26 00 ff 00',
};

const cases = [
  ...Object.entries(afterConnect).map(([name, bytes]) => ({ name, bytes: connect + bytes })),
  ...Object.entries(beforeConnect).map(([name, bytes]) => ({ name, bytes })),
];

test.each(cases)('$name ends its connection and no other', async ({ bytes }) => {
  const socket = await open();
  socket.resume();
  const closed = once(socket, 'close');
  socket.write(hex(bytes));
  await closed;
  const heard = once(witness, 'message');
  expect(await bed.publish({ topic: 'devices/witness/ack', payload: 'x', qos: 1 })).toBe(200);
  await heard;
  expect((await bed.client('witness'))?.connected_at).toBe(witnessed);
});

test('a good packet in any number of pieces is taken', async () => {
  const socket = await open();
  let answers = '';
  socket.on('data', (chunk) => {
    answers += chunk.toString('hex');
  });
  const closed = once(socket, 'close');
  const send = async (bytes: string) => {
    for (const byte of hex(bytes)) {
      socket.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
  };
  await send(connect);
  await until('CONNACK', () => answers === '20020000');
  await send('82 08 00 01 00 03 61 63 6b 01');
  await until('SUBACK', () => answers === '200200009003000101');
  await send('c0 00');
  await until('PINGRESP', () => answers === '200200009003000101d000');
  await send('e0 00');
  await closed;
});

test('a peer that does not take the last bytes is cut off', async () => {
  // Takes what it is given and never says so.
  const socket = Object.assign(new Duplex({ read() {}, write() {} }), {
    destroySoon() {
      socket.end();
    },
  }) as unknown as TLSSocket;
  const mount = {
    ...{ clientid: 'd', prefix: 'devices/d/', maxPacketBytes: 1024, acl: () => true, isBanned: () => false },
    ...{ onRefused() {}, onConnect() {} },
  };
  const stream = new MountStream(socket, { ...mount, lingerMs: 50 });
  socket.write('the last packet');
  stream.destroy();
  await until('its end', () => socket.destroyed);
});
