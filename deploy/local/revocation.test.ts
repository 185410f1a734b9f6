/** Through the running stack: real TLS, the CA's own CRL, and the broker stand-in that asks it at the handshake. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import mqtt, { type MqttClient } from 'mqtt';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openAuthority } from '#ca/authority.ts';
import { issueKeyPair } from '#ca/key-pair.ts';
import { createCsr } from '#firmware/virtual/csr.ts';
import { createKey } from '#firmware/virtual/identity.ts';
import { until } from '../lab/primitives/until.ts';
import { unwrap } from '../lab/rest.ts';
import { startTestSystem, type TestSystem } from '../lab/testing.ts';
import { loadSecrets } from './secrets.ts';

let system: TestSystem;
const clients: MqttClient[] = [];
beforeAll(async () => {
  // The broker looks again only because the webhook kicks.
  system = await startTestSystem({ crlRefreshMs: 3_600_000 });
  await unwrap(system.rest.api.devices.$post({ json: { id: 'dev-1', hardware: 'esp32-s3' } }));
});
afterAll(async () => {
  for (const client of clients) client.end(true);
  await system?.close();
});

interface Pair {
  key: string;
  cert: string;
  serial: string;
}

async function enroll(id: string): Promise<Pair> {
  const key = createKey();
  const { token } = await unwrap(
    system.rest.api.certificates.tokens.$post({ json: { profile: 'device', commonName: id } }),
  );
  const response = await fetch(`${system.stack.url}/api/issue_cert`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ csr: await createCsr(key, id) }),
  });
  const { certificate, chain, serial } = (await response.json()) as Record<string, string>;
  return { key, cert: `${certificate}${chain}`, serial: serial! };
}

function connect({ key, cert }: Pair, maxVersion: 'TLSv1.2' | 'TLSv1.3'): MqttClient {
  const client = mqtt.connect(system.stack.mqttUrl, {
    ...{ key, cert, ca: system.stack.trust, maxVersion },
    reconnectPeriod: 0,
    protocolVersion: 4,
  });
  client.on('error', () => {});
  clients.push(client);
  return client;
}

const next = (client: MqttClient, event: 'connect' | 'close') =>
  new Promise<void>((resolve) => client.once(event, () => resolve()));

/** What becomes of a connection that the broker or the webhook ends: after CONNACK, or before. */
async function attempt(pair: Pair, version: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3') {
  const client = connect(pair, version);
  let came = false;
  client.once('connect', () => {
    came = true;
  });
  await next(client, 'close');
  return came ? 'kicked' : 'refused';
}

it('a revoked certificate ends its connection in under a second, then each return, then no handshake succeeds', async () => {
  const pair = await enroll('dev-1');
  const client = connect(pair, 'TLSv1.3');
  await next(client, 'connect');
  await until(
    () => unwrap(system.rest.api.devices[':id'].$get({ param: { id: 'dev-1' } })),
    (device) => device.online,
  );
  const started = performance.now();
  const closed = next(client, 'close');
  await unwrap(
    system.rest.api.certificates[':serial'].revoke.$post({
      param: { serial: pair.serial },
      json: { reason: 'keyCompromise' },
    }),
  );
  await closed;
  expect(performance.now() - started).toBeLessThan(1_000);

  // Until the CA's new CRL is published the broker lets the device in, and the webhook ends that each time.
  while ((await attempt(pair)) === 'kicked');
  expect(await attempt(pair, 'TLSv1.2')).toBe('refused');

  const other = await enroll('dev-1');
  const back = connect(other, 'TLSv1.2');
  await next(back, 'connect');
  const seen = await until(
    () => unwrap(system.rest.api.devices[':id'].$get({ param: { id: 'dev-1' } })),
    (device) => device.certificate?.serial === other.serial && device.online,
  );
  expect(seen.online).toBe(true);
  expect(back.connected).toBe(true);
});

it('npm run ca -- revoke says that it disconnects nobody; with --url the webhook does', async () => {
  await unwrap(system.rest.api.devices.$post({ json: { id: 'dev-2', hardware: 'esp32-s3' } }));
  const pair = await enroll('dev-2');
  const client = connect(pair, 'TLSv1.3');
  await next(client, 'connect');
  const cli = fileURLToPath(new URL('../../ca/cli.ts', import.meta.url));
  const run = async (...args: string[]) => {
    const env = {
      PATH: process.env.PATH,
      CA_DIR: join(system.dataDir, 'ca'),
      CA_PASSPHRASE: loadSecrets(system.dataDir).caPassphrase,
      FLOTA_API_TOKEN: system.stack.apiToken,
    };
    const options = ['--import', 'tsx', cli, 'revoke', pair.serial, '--reason', 'keyCompromise', ...args];
    return (await promisify(execFile)(process.execPath, options, { env })).stdout;
  };
  expect(await run()).toMatch(/revoked at .*\n.*stays connected/);
  expect(client.connected).toBe(true);
  const closed = next(client, 'close');
  expect(await run('--url', system.stack.url)).toMatch(/was revoked before\n.*has disconnected its holder/);
  await closed;
  const { revocation } = await unwrap(
    system.rest.api.certificates[':serial'].$get({ param: { serial: pair.serial } }),
  );
  expect(revocation).toMatchObject({ reason: 'keyCompromise' });
});

it('a broker does not pass as a device, and a service may neither publish nor subscribe', async () => {
  const authority = await openAuthority({
    dir: join(system.dataDir, 'ca'),
    passphrase: loadSecrets(system.dataDir).caPassphrase,
    crlUrl: `${system.stack.url}/crl/crl.pem`,
  });
  const issue = async (profile: 'broker' | 'service', commonName: string): Promise<Pair> => {
    const pair = await issueKeyPair(authority, { profile, commonName, names: ['localhost'] });
    return { key: pair.key, cert: pair.certificate + pair.chain, serial: pair.serial };
  };
  const broker = await issue('broker', 'dev-3');
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
    expect(await attempt(broker, version)).toBe('refused');
  const service = connect(await issue('service', 'webhook.flota'), 'TLSv1.3');
  await next(service, 'connect');
  const [granted] = await service.subscribeAsync({ 'firmware/download/request': { qos: 1 } }).catch(() => []);
  expect(granted).toBeUndefined();
});
