/** A Flota on the broker under test, and clients with certificates of its CA that are no device of ours. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { createEmqxApi, type EmqxApi } from '#emqx/api.ts';
import { createCsr } from '#firmware/virtual/csr.ts';
import { createKey } from '#firmware/virtual/identity.ts';
import { loadSecrets } from '../../local/secrets.ts';
import { real } from '../outage/settings.ts';
import { createToken, unwrap } from '../rest.ts';
import type { SystemOptions } from '../system/options.ts';
import { startTestSystem, type TestSystem } from '../testing.ts';
import { readEmqxUnderTest } from './under-test.ts';

export interface Pair {
  key: string;
  cert: string;
  serial: string;
}

/** What mqtt.js hands on to TLS is not in its own type. `url`: of another node than the system's own. */
type ClientOptions = IClientOptions & Pick<ConnectionOptions, 'maxVersion'> & { url?: string };

export interface Bed extends TestSystem {
  /** Where our CA is kept. */
  authority: { dir: string; passphrase?: string };
  broker: EmqxApi;
  /** A broker remembers bans and sessions: no two runs have a device in common. */
  idOf(name: string): string;
  register(id: string): Promise<void>;
  /** A certificate for a device that is registered. */
  enroll(id: string): Promise<Pair>;
  connect(pair: Pair, options?: ClientOptions): MqttClient;
  /** Resolves with a connected one. */
  online(pair: Pair, options?: ClientOptions): Promise<MqttClient>;
  /** What becomes of a connection that the broker or the webhook ends: after CONNACK, or before. */
  attempt(pair: Pair, options?: ClientOptions): Promise<'kicked' | 'refused'>;
}

export async function openBed(overrides: Partial<SystemOptions> = {}): Promise<Bed> {
  const emqx = readEmqxUnderTest();
  const system = await startTestSystem({ ...(emqx && { ...emqx.system, tune: real.tune }), ...overrides });
  const { stack, rest, dataDir } = system;
  const run = randomUUID().slice(0, 6);
  const clients: MqttClient[] = [];
  const broker = createEmqxApi(stack.emqx);
  const connect = ({ key, cert }: Pair, { url, ...options }: ClientOptions = {}) => {
    const client = mqtt.connect(url ?? stack.mqttUrl, {
      ...{ key, cert, ca: stack.trust, reconnectPeriod: 0, protocolVersion: 4 },
      clientId: 'whatever the client says',
      ...options,
    });
    client.on('error', () => {});
    clients.push(client);
    return client;
  };
  return {
    ...system,
    authority: emqx?.system.authority ?? {
      dir: join(dataDir, 'ca'),
      passphrase: loadSecrets(dataDir).caPassphrase,
    },
    broker,
    idOf: (name) => `case-${run}-${name}`,
    register: async (id) =>
      void (await unwrap(rest.api.devices.$post({ json: { id, hardware: 'esp32-s3' } }))),
    async enroll(id) {
      const key = createKey();
      const token = await createToken(rest, id);
      const csr = await createCsr(key, id);
      const json = { csr };
      const issued = await unwrap(
        rest.api.issue_cert.$post({ json }, { headers: { authorization: `Bearer ${token}` } }),
      );
      const { certificate, chain, serial } = issued;
      return { key, cert: `${certificate}${chain}`, serial };
    },
    connect,
    async online(pair, options) {
      const client = connect(pair, options);
      await new Promise<void>((resolve, reject) => {
        client.once('connect', () => resolve());
        client.once('close', () => reject(new Error('the broker let nobody in')));
      });
      return client;
    },
    async attempt(pair, options) {
      const client = connect(pair, options);
      let came = false;
      client.once('connect', () => {
        came = true;
      });
      await closed(client);
      return came ? 'kicked' : 'refused';
    },
    async close() {
      for (const client of clients) client.end(true);
      broker.close();
      await system.close();
    },
  };
}

export function closed(client: MqttClient): Promise<void> {
  return new Promise((resolve) => client.once('close', () => resolve()));
}
