/** MQTT packets as a client may send them, and what a hostile one makes of them. All chance comes from the seed. */
import mqtt, { type Packet } from 'mqtt-packet';
import type { Random } from '#deploy/lab/primitives/random.ts';
import { topics } from '#emqx/protocol.ts';

const names = [
  ...Object.keys(topics),
  ...[
    '/cert/renew/request',
    '',
    '#',
    '+/x',
    'devices/witness/ack',
    '$SYS/x',
    '/'.repeat(200),
    'a\0b',
    '\u{1f4a5}',
  ],
];
const id = (random: Random) => random.pick([0, 1, 1, 2, 3, 0xffff]);

/** Well-formed CONNECTs: of a device, with a will, of MQTT 3.1, of MQTT 5. */
export function makeConnect(random: Random): Buffer {
  const version = random.pick([4, 4, 4, 4, 3, 5] as const);
  return mqtt.generate(
    {
      cmd: 'connect',
      protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
      protocolVersion: version,
      clientId: random.pick(['', 'x', 'witness', 'y'.repeat(300)]) || 'x',
      clean: random.chance(0.5),
      keepalive: random.pick([0, 1, 60, 0xffff]),
      ...(random.chance(0.3) && {
        will: {
          topic: random.pick(names) || 'log',
          payload: Buffer.from('gone'),
          qos: random.pick([0, 1, 2] as const),
          retain: random.chance(0.5),
        },
      }),
      ...(random.chance(0.2) && { username: 'u', password: Buffer.from('p') }),
    },
    { protocolVersion: version } as object,
  );
}

/** A packet of a connected client. Some are not well-formed without more ado: id 0, an empty topic. */
export function makePacket(random: Random): Buffer {
  const messageId = id(random);
  const qos = random.pick([0, 1, 2] as const);
  const topic = random.pick(names);
  const packets: (() => Packet)[] = [
    () => ({
      ...{ cmd: 'publish', topic, qos, dup: random.chance(0.2), retain: random.chance(0.2), messageId },
      payload: Buffer.from(random.pick(['{"id":"1"}', '[['.repeat(500), '', '\xff\xfe'])),
    }),
    () => ({ cmd: 'subscribe', messageId, subscriptions: [{ topic, qos }] }),
    () => ({ cmd: 'subscribe', messageId, subscriptions: names.map((each) => ({ topic: each, qos })) }),
    () => ({ cmd: 'unsubscribe', messageId, unsubscriptions: [topic, random.pick(names)] }),
    () => ({ cmd: random.pick(['puback', 'pubrec', 'pubrel', 'pubcomp'] as const), messageId }) as Packet,
    () => ({ cmd: random.pick(['pingreq', 'pingresp', 'disconnect'] as const) }) as Packet,
    () => ({ cmd: 'suback', messageId, granted: [0, 128] }),
    () => ({ cmd: 'connack', returnCode: 0, sessionPresent: true }),
  ];
  if (random.chance(0.02)) return makeConnect(random);
  return mqtt.generate(random.pick(packets)());
}

/** One to four changes: to a bit, a byte, the length, the end, the middle. */
export function mutate(packet: Buffer, random: Random): Buffer {
  let bytes = [...packet];
  for (let changes = random.int(1, 4); changes > 0; changes--) {
    const at = random.int(0, Math.max(0, bytes.length - 1));
    const some = () => Array.from({ length: random.int(1, 8) }, () => random.int(0, 255));
    random.pick<() => void>([
      () => (bytes[at] = (bytes[at] ?? 0) ^ (1 << random.int(0, 7))),
      () => (bytes[at] = random.pick([0, 1, 2, 0x7f, 0x80, 0xff])),
      () => (bytes[0] = random.int(0, 15) * 16 + random.pick([0, 2, random.int(0, 15)])),
      () => (bytes[1] = random.pick([0, 1, 2, 3, bytes.length, 0x7f])),
      () =>
        bytes.splice(
          1,
          1,
          ...random.pick([
            [0xff, 0xff, 0xff, 0x7f],
            [0xff, 0xff, 0xff, 0xff],
            [0x80, 0x80, 0x04],
            [0x80, 0],
          ]),
        ),
      () => (bytes = bytes.slice(0, at)),
      () => bytes.push(...some()),
      () => bytes.splice(at, random.int(1, 4)),
      () => bytes.splice(at, 0, ...some()),
      () => bytes.splice(at, 0, ...bytes.slice(at, at + random.int(1, 16))),
    ])();
  }
  return Buffer.from(bytes);
}
