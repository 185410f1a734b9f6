import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import mqtt from 'mqtt-packet';
import { describe, expect, test } from 'vitest';
import { nodeAt, readHocon, toPlain } from '../hocon.ts';
import { maxCertificateDownlinkBytes, maxUplinkBytes, topics } from '../protocol.ts';
import { parseAcl } from '../standin/acl.ts';
import { toBytes } from '../units.ts';

const acl = parseAcl(readFileSync(new URL('./acl.conf', import.meta.url), 'utf8'));
const conf = readHocon(fileURLToPath(new URL('./emqx.conf', import.meta.url)));
const at = (path: string) => {
  const node = nodeAt(conf, ...path.split('.'));
  return node && toPlain(node);
};

/** Every topic of the protocol, the certificate topics also with their slash. */
const all = Object.entries(topics).flatMap(([topic, { direction }]) => [
  { topic, direction },
  ...(topic.startsWith('cert/renew/') ? [{ topic: `/${topic}`, direction }] : []),
]);

describe('acl.conf', () => {
  test.each(all)('$topic goes $direction and no other way', ({ topic, direction }) => {
    expect(acl({ clientid: 'dev-1' }, 'publish', topic)).toBe(direction === 'up');
    expect(acl({ clientid: 'dev-1' }, 'subscribe', topic)).toBe(direction === 'down');
  });

  test('names no topic that the protocol does not have', () => {
    const text = readFileSync(new URL('./acl.conf', import.meta.url), 'utf8');
    const named = [...text.matchAll(/\{eq, "([^"]*)"\}/g)].map((match) => match[1]);
    expect(named.sort()).toEqual(all.map(({ topic }) => topic).sort());
  });

  test.each(['webhook.flota', 'ca.flota', 'a b', 'ü', '', 'a'.repeat(65)])(
    'lets nobody at them who is no device: %j',
    (clientid) => {
      for (const { topic } of all)
        for (const action of ['publish', 'subscribe'] as const)
          expect(acl({ clientid }, action, topic)).toBe(false);
    },
  );

  test.each([
    '#',
    '+',
    '+/#',
    'devices/#',
    'devices/dev-2/ack',
    'firmware/download/+',
    'firmware/#',
    '$SYS/#',
    '$share/g/ack',
    '//cert/renew/response',
    '/ack',
    'ACK',
    '',
  ])('%j may be neither published nor subscribed', (topic) => {
    expect(acl({ clientid: 'dev-1' }, 'publish', topic)).toBe(false);
    expect(acl({ clientid: 'dev-1' }, 'subscribe', topic)).toBe(false);
  });
});

describe('emqx.conf', () => {
  test('opens one listener, and it demands a certificate', () => {
    expect(at('listeners.ssl.default')).toMatchObject({
      enable: true,
      bind: '0.0.0.0:8883',
      enable_authn: false,
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is EMQX's, not JavaScript's
      mountpoint: 'devices/${clientid}/',
      ssl_options: {
        verify: 'verify_peer',
        fail_if_no_peer_cert: true,
        versions: ['tlsv1.3', 'tlsv1.2'],
        reuse_sessions: false,
      },
    });
    for (const kind of ['tcp', 'ws', 'wss'])
      expect(at(`listeners.${kind}.default`)).toMatchObject({
        enable: false,
        bind: expect.stringMatching(/^127\.0\.0\.1:/),
      });
    expect(Object.keys(at('listeners') as object).sort()).toEqual(['ssl', 'tcp', 'ws', 'wss']);
    expect(at('dashboard.listeners.http.bind')).toBe('127.0.0.1:18083');
  });

  test('names clients by their certificate and carries it to the rules', () => {
    expect(at('mqtt')).toMatchObject({
      peer_cert_as_clientid: 'cn',
      client_attrs_init: [
        { expression: 'dn', set_as_attr: 'cert' },
        { expression: 'cn', set_as_attr: 'cn' },
      ],
    });
  });

  test('tells its maker nothing', () => {
    expect(at('telemetry.enable')).toBe(false);
  });

  test('denies what no rule allows', () => {
    expect(at('authorization')).toMatchObject({
      no_match: 'deny',
      sources: [{ type: 'file', enable: true }],
    });
  });

  test('limits what one client sends, but never a device that comes back with all that it can have to say', () => {
    const perSecond = (name: string) => String(at(`listeners.ssl.default.${name}`)).replace(/\/s$/, '');
    const journal = readFileSync(new URL('../../firmware/agent/ota_journal.h', import.meta.url), 'utf8');
    const limit = (name: string) => Number(new RegExp(`define ${name} (\\d+)u`).exec(journal)![1]);
    const telemetry = Object.entries(topics).filter(
      ([, one]) => one.class === 'telemetry' && one.direction === 'up',
    );
    const message = (topic: string, bytes: number) =>
      mqtt.generate({
        ...{ cmd: 'publish', topic, qos: 1, messageId: 1, dup: false, retain: false },
        payload: 'x'.repeat(bytes),
      });
    const subscribe = (topic: string) =>
      mqtt.generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 1 }] });
    const down = all.filter(({ direction }) => direction === 'down');
    const burst = [
      mqtt.generate({ cmd: 'connect', clientId: 'd'.repeat(64), clean: false, keepalive: 60 }),
      ...down.map(({ topic }) => subscribe(topic)),
      // The longest topic of an outbox.
      ...Array.from({ length: limit('OTA_OUTBOX_MESSAGES') }, () =>
        message('firmware/download/request/ack', limit('OTA_OUTBOX_MESSAGE_MAX')),
      ),
      // What of it is telemetry of the agent's batch is in agent-port.ts: four topics.
      ...telemetry
        .filter(([topic]) => /^(status|data)\//.test(topic))
        .map(([topic]) => message(topic, maxUplinkBytes)),
    ];
    const bytes = burst.reduce((sum, { length }) => sum + length, 0);
    expect(burst.length).toBeGreaterThan(24 + 4);
    // A client's bucket holds a second's worth, and a tenth of it when the client connects.
    expect(burst.length).toBeLessThanOrEqual(Number(perSecond('messages_rate')) / 10);
    expect(bytes).toBeLessThanOrEqual(toBytes(perSecond('bytes_rate'), 0) / 10);
    expect(at('listeners.ssl.default.max_conn_rate')).toBe('1000/s');
  });

  test('does not leave the dashboard with its default password', () => {
    expect(at('dashboard.default_password')).not.toBe('public');
    expect(at('dashboard.default_password')).toBeDefined();
  });

  test('lets the largest message through, with room for its header', () => {
    expect(at('mqtt.max_packet_size')).toBe('64KB');
    expect(64 * 1024).toBeGreaterThan(Math.max(maxUplinkBytes, maxCertificateDownlinkBytes) + 1024);
  });

  test('holds nothing that operators tune: it would win over their changes at every start', () => {
    expect(
      [...conf.entries.keys()].filter((root) => ['connectors', 'actions', 'rule_engine'].includes(root)),
    ).toEqual([]);
  });
});
