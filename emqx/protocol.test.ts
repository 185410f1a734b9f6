import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  brokerEventSchema,
  deviceIdSchema,
  maxCertificateDownlinkBytes,
  maxDownlinkBytes,
  maxUplinkBytes,
  mountedTopic,
  parseMountedTopic,
  type Topic,
  topics,
} from './protocol.ts';

interface Vector {
  name: string;
  topic: Topic;
  message: unknown;
  valid: boolean;
  /** Of an invalid message: dotted path of what is wrong; empty for the whole. */
  path?: string;
}
const { vectors } = JSON.parse(readFileSync(new URL('./protocol.vectors.json', import.meta.url), 'utf8')) as {
  vectors: Vector[];
};

describe('golden messages', () => {
  test.each(vectors)('$topic: $name', ({ topic, message, valid, path }) => {
    const result = topics[topic].schema.safeParse(message);
    if (valid) {
      expect(result.error).toBeUndefined();
      const { direction } = topics[topic];
      const limit =
        direction === 'up'
          ? maxUplinkBytes
          : topic === 'cert/renew/response'
            ? maxCertificateDownlinkBytes
            : maxDownlinkBytes;
      expect(Buffer.byteLength(JSON.stringify(message))).toBeLessThanOrEqual(limit);
    } else expect(result.error?.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
  });

  test('there are valid and invalid ones for every topic, each with a name of its own', () => {
    for (const topic of Object.keys(topics))
      for (const valid of [true, false])
        expect(
          vectors.filter((v) => v.topic === topic && v.valid === valid).length,
          `${topic} ${valid}`,
        ).toBeGreaterThan(valid ? 0 : 1);
    const names = vectors.map(({ topic, name }) => `${topic}: ${name}`);
    expect(new Set(names).size).toBe(names.length);
  });

  test('unknown fields are ignored, not passed on', () => {
    expect(topics.ack.schema.parse({ ids: ['a'], later: 1 })).toEqual({ ids: ['a'] });
  });
});

describe('a mounted topic', () => {
  test.each(Object.keys(topics) as Topic[])('%s is taken apart again', (topic) => {
    expect(parseMountedTopic(mountedTopic('dev-1', topic))).toEqual({
      deviceId: 'dev-1',
      topic,
      slash: false,
    });
  });

  test('of a certificate may have the slash of the first published table, and no other may', () => {
    expect(parseMountedTopic('devices/d//cert/renew/request')).toEqual({
      deviceId: 'd',
      topic: 'cert/renew/request',
      slash: true,
    });
    expect(parseMountedTopic('devices/d//log')).toBeNull();
    expect(parseMountedTopic('devices/d///cert/renew/request')).toBeNull();
  });

  test.each([
    '',
    'log',
    'devices',
    'devices/',
    'devices/d',
    'devices/d/',
    'devices//log',
    'devices/d/nope',
    'devices/d/LOG',
    'devices/d/log/',
    'devices/d/log/x',
    'devices/d/log\n',
    '\ndevices/d/log',
    'x/devices/d/log',
    '/devices/d/log',
    'devices/d/../e/log',
    'devices/../log',
    'devices/+/log',
    'devices/#',
    'devices/a b/log',
    'devices/é/log',
    'devices/d\0/log',
    `devices/${'d'.repeat(65)}/log`,
    'devices/d/__proto__',
    'devices/d/constructor',
    'devices/d/toString',
    '$SYS/brokers',
  ])('%j is nobody’s', (mounted) => {
    expect(parseMountedTopic(mounted)).toBeNull();
  });
});

test.each(['', '+', '#', 'a/b', 'a b', 'a\n', 'ä', 'x'.repeat(65), '../a', 'a\0'])(
  '%j is no device id',
  (id) => {
    expect(deviceIdSchema.safeParse(id).success).toBe(false);
  },
);

describe('a row of the broker', () => {
  const message = {
    event: 'message',
    clientid: 'd',
    topic: 'devices/d/log',
    payload: 'x',
    cert: 'undefined',
    received_at: 1,
  };
  test.each([
    message,
    { event: 'connected', clientid: 'd', cert: 'CN=d', peername: '1.2.3.4:5', connected_at: 1 },
    { event: 'disconnected', clientid: 'd', reason: 'normal', connected_at: 1, disconnected_at: 2 },
    { event: 'subscribed', clientid: 'd', topic: 't', cert: 'CN=d' },
  ])('$event is read', (row) => {
    expect(brokerEventSchema.parse(row)).toEqual(row);
  });

  test.each([
    {},
    null,
    { ...message, event: 'published' },
    { ...message, payload: { a: 1 } },
    { ...message, received_at: 'undefined' },
  ])('%j is refused', (row) => {
    expect(brokerEventSchema.safeParse(row).success).toBe(false);
  });
});
