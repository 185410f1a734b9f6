/** `flota-device --mqtt 5` on a broker that speaks it (mosquitto): what version 5 adds, and nothing else. */
import { spawn } from 'node:child_process';
import { createPublicKey, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import mqtt, { type IPublishPacket, type MqttClient } from 'mqtt';
import { generate, type Packet, parser } from 'mqtt-packet';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type HeldPort, holdPort, listen } from '#deploy/lab/primitives/listen.ts';
import { until } from '#deploy/lab/primitives/until.ts';
import { built, make } from '../make.ts';
import { createPki, type Pki } from '../virtual/bench/pki.ts';
import { createCsr } from '../virtual/csr.ts';
import { createKey } from '../virtual/identity.ts';

const dir = fs.mkdtempSync(join(tmpdir(), 'flota-mqtt5-'));
const at = (name: string, text?: string) => {
  if (text !== undefined) fs.writeFileSync(join(dir, name), text);
  return join(dir, name);
};
const started: { kill(): void }[] = [];
let pki: Pki;
const held: HeldPort[] = [];
const [port, closedPort] = [newPort(), newPort()];
let server: MqttClient;
const received: IPublishPacket[] = [];

beforeAll(async () => {
  await make('build/flota-device');
  pki = await createPki();
  const { key, certificate } = await pki.server();
  const jwk = createPublicKey(key).export({ format: 'jwk' });
  at('keys.json', JSON.stringify({ keys: [{ ...jwk, kid: 'key-1' }] }));
  const certificates = [
    `cafile ${at('trust.pem', pki.trust)}`,
    `certfile ${at('cert.pem', certificate)}`,
    `keyfile ${at('key.pem', key)}`,
    'require_certificate true',
  ];
  const settings = [
    ...[
      'user root',
      'per_listener_settings true',
      `listener ${port} 127.0.0.1`,
      'use_identity_as_username true',
    ],
    ...certificates,
    // Nobody has a name here, and names are wanted.
    ...[`listener ${closedPort} 127.0.0.1`, 'allow_anonymous false', ...certificates],
  ];
  const path = `/usr/sbin:${process.env.PATH}`;
  const broker = spawn('mosquitto', ['-c', at('mosquitto.conf', `${settings.join('\n')}\n`)], {
    ...{ stdio: 'ignore', env: { ...process.env, PATH: path } },
  });
  started.push(broker);
  server = mqtt.connect(`mqtts://localhost:${port}`, {
    ...(await identity('webhook')),
    ...{ ca: pki.trust, clientId: 'webhook', protocolVersion: 5, reconnectPeriod: 100 },
  });
  server.on('error', () => {});
  server.on('message', (_topic, _payload, packet) => received.push(packet));
  await new Promise<void>((resolve) => server.once('connect', () => resolve()));
  await server.subscribeAsync(['control/response', 'status/health'], { qos: 1 });
}, 600_000);
afterAll(() => {
  server?.end(true);
  for (const one of started) one.kill();
  for (const one of held) one.release();
  fs.rmSync(dir, { recursive: true, force: true });
});

/** Nobody else is given it before mosquitto has started. */
function newPort(): number {
  const one = holdPort();
  held.push(one);
  return one.port;
}

async function identity(id: string) {
  const key = createKey();
  return { key, cert: `${await pki.issue(createCsr(key, id))}${pki.issuing}` };
}

/** Its log lines, as they come. */
async function start(id: string, to: number, ...options: string[]) {
  const home = at(id);
  fs.mkdirSync(home, { recursive: true });
  if (!fs.existsSync(join(home, 'identity.pem'))) {
    const { key, cert } = await identity(id);
    fs.writeFileSync(join(home, 'identity.pem'), `${cert}${key}`);
  }
  const device = spawn(built('flota-device'), [
    ...['--id', id, '--dir', home, '--mqtt-url', `mqtts://localhost:${to}`, ...options],
    ...['--trust', at('trust.pem'), '--signing-keys', at('keys.json')],
    ...['--timing', '{"reconnectMinMs":100,"reconnectMaxMs":200}'],
  ]);
  started.push(device);
  let log = '';
  device.stdout.on('data', (chunk) => {
    log += chunk;
  });
  return {
    log: () => log,
    stop: () => device.kill('SIGTERM'),
    gone: new Promise((r) => device.once('exit', r)),
  };
}

const traceparent = () => `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;
const command = (trace: string) => {
  const message = {
    id: randomBytes(12).toString('base64url'),
    at: new Date().toISOString(),
    command: 'dance',
  };
  const properties = { userProperties: { other: 'x', traceparent: trace } };
  return server.publishAsync('control/command', JSON.stringify(message), { qos: 1, properties });
};
const answered = (trace: string) =>
  received.find(
    ({ topic, properties }) =>
      topic === 'control/response' && properties?.userProperties?.traceparent === trace,
  );

it('answers carry the trace of their command, and a session outlives its connection', async () => {
  const device = await start('dev-1', port, '--mqtt', '5');
  await until('online', () => device.log().includes('"online"'));
  const first = traceparent();
  await command(first);
  await until('the answer', () => answered(first));
  expect(device.log()).toContain(`control/command came, traceparent ${first}`);
  // What no command asked for belongs to no trace.
  const health = received.find(({ topic }) => topic === 'status/health');
  expect(health!.properties?.userProperties).toBeUndefined();

  device.stop();
  await device.gone;
  const kept = traceparent();
  await command(kept);
  const back = await start('dev-1', port, '--mqtt', '5');
  await until('the answer to what was kept', () => answered(kept));
  back.stop();
  await back.gone;
});

it('on MQTT 3.1.1 the same command is answered without a trace', async () => {
  const device = await start('dev-2', port);
  await until('online', () => device.log().includes('"online"'));
  const seen = received.length;
  await command(traceparent());
  const of = () => received.slice(seen).find(({ topic }) => topic === 'control/response');
  const answer = await until('the answer', of);
  expect(answer.properties?.userProperties).toBeUndefined();
  device.stop();
  await device.gone;
});

it('says in words why the broker refuses it', async () => {
  for (const [version, words] of [
    ['5', 'Not authorized (0x87)'],
    ['3.1.1', 'not authorised. (0x05)'],
  ] as const) {
    const refused = await start('dev-3', closedPort, '--mqtt', version);
    await until('the refusal', () => refused.log().includes(`refused the connection: ${words}`));
    refused.stop();
  }
});

it('says in words why the broker ends its connection or refuses a subscription', async () => {
  // mosquitto says neither to who behaves.
  let connections = 0;
  const { key, certificate } = await pki.server();
  const options = { key, cert: certificate, ca: pki.trust, requestCert: true };
  const broker = tls.createServer(options, (socket) => {
    const answer = (packet: Packet) => socket.write(generate(packet, { protocolVersion: 5 }));
    const kicked = connections++ === 0;
    const from = parser({ protocolVersion: 5 });
    socket.on('error', () => {});
    socket.on('data', (chunk) => from.parse(chunk));
    from.on('packet', ({ cmd, messageId }: Packet) => {
      if (cmd === 'connect') answer({ cmd: 'connack', reasonCode: 0, sessionPresent: false });
      else if (cmd === 'subscribe' && kicked) answer({ cmd: 'disconnect', reasonCode: 0x98 });
      else if (cmd === 'subscribe') answer({ cmd: 'suback', messageId, granted: [1, 1, 0x87, 1] });
    });
  });
  const port = await listen(broker);
  started.push({ kill: () => broker.close() });
  const device = await start('dev-4', port, '--mqtt', '5');
  await until('both', () => device.log().includes('refused a subscription: Not authorized (0x87)'));
  expect(device.log()).toContain('ended the connection: Administrative action (0x98)');
  device.stop();
});
