/** Devices → broker → faulty proxy → webhook → a PostgreSQL of its own: everything that a critical message passes. */
import { randomBytes } from 'node:crypto';
import { sql } from 'drizzle-orm';
import type { RevokingAuthority } from '#ca/client.ts';
import { issueKeyPair } from '#ca/key-pair.ts';
import { createEmqxApi } from '#emqx/api.ts';
import { type BrokerConfig, loadRules } from '#emqx/rules.ts';
import type { Timing } from '#firmware/virtual/options.ts';
import { connect } from '#webhook/db/connect.ts';
import { query } from '#webhook/db/query.ts';
import { createObjectStore } from '#webhook/firmware/objects.ts';
import { startWebhook, type Webhook } from '#webhook/server.ts';
import { type Cluster, createCluster } from '../../.ci/postgresql.ts';
import { createRest, unwrap } from '../local/rest.ts';
import type { OpenBroker, TestedBroker } from './broker.ts';
import { type FaultyProxy, startFaultyProxy } from './faulty-proxy.ts';
import { type LightDevice, startLightDevice } from './light-device.ts';

export interface OutageSystem {
  devices: LightDevice[];
  broker: TestedBroker;
  proxy: FaultyProxy;
  postgresql: Cluster;
  /** Another copy of the webhook takes the place of the one that runs. */
  replaceWebhook(): Promise<void>;
  actionMetrics(action: 'critical' | 'telemetry'): Promise<Record<string, number>>;
  /** What the database says of the devices of this run. */
  received(): Promise<{ deviceId: string; messageId: string; digest: string }[]>;
  newest(): Promise<Map<string, number>>;
  deadLetters(): Promise<number>;
  onlineInDatabase(): Promise<number>;
  close(): Promise<void>;
}

export interface OutageOptions {
  devices: number;
  authority: RevokingAuthority;
  openBroker: OpenBroker;
  /** Changes the rules' configuration: shorter intervals for a short test. */
  tune?: (config: BrokerConfig) => void;
  timing: Partial<Timing>;
  /** Where the broker reaches this machine. */
  host?: string;
}

export async function startOutageSystem(options: OutageOptions): Promise<OutageSystem> {
  const closers: (() => unknown)[] = [];
  const close = async () => {
    for (const end of closers.splice(0).reverse()) await end();
  };
  try {
    return { ...(await startParts(options, closers)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startParts(
  { devices: count, authority, openBroker, tune, timing, host = '127.0.0.1' }: OutageOptions,
  closers: (() => unknown)[],
): Promise<Omit<OutageSystem, 'close'>> {
  const webhookToken = randomBytes(16).toString('hex');
  const apiToken = randomBytes(16).toString('hex');
  const postgresql = await createCluster();
  closers.push(() => postgresql.remove());
  let webhook: Webhook | null = null;
  const proxy = await startFaultyProxy(() => `http://127.0.0.1:${webhook?.internalPort}`, { host });
  closers.push(() => proxy.close());

  const config = loadRules({ webhookUrl: proxy.url, webhookToken });
  tune?.(config);
  const broker = await openBroker({ authority, config });
  closers.push(() => broker.close());

  const database = await connect({ url: postgresql.url });
  closers.push(() => database.close());
  // No firmware is served here, so nobody ever asks the store.
  const credentials = { accessKeyId: 'none', secretAccessKey: 'none' };
  const objects = createObjectStore({
    endpoint: 'http://127.0.0.1:9',
    bucket: 'none',
    region: 'us-east-1',
    credentials,
  });
  closers.push(() => objects.close());
  const api = createEmqxApi(broker.api);
  closers.push(() => api.close());
  const startCopy = () =>
    startWebhook(
      {
        database,
        objects,
        broker: api,
        authority,
        signer: null,
        trustedKeys: { keys: [] },
        log: () => {},
        webhookToken,
        apiToken,
        publicUrl: null,
        consoleDir: null,
      },
      {
        host: '127.0.0.1',
        port: 0,
        internalPort: 0,
        admin: null,
        reconcile: { periodMs: 1_000, faultMs: 200, youngMs: 1_000, settledMs: 500 },
      },
    );
  webhook = await startCopy();
  closers.push(() => webhook?.close());

  const devices = await startDevices(webhook.url);
  const ids = sql`(select value from jsonb_array_elements_text(${JSON.stringify(devices.map((d) => d.id))}::jsonb))`;
  const readCount = async (statement: ReturnType<typeof sql>) =>
    Number((await query<{ n: string }>(database.db, statement))[0]!.n);

  async function startDevices(url: string): Promise<LightDevice[]> {
    const rest = createRest(url, apiToken);
    const { root, issuing } = await authority.trust();
    const run = randomBytes(3).toString('hex');
    const started: LightDevice[] = [];
    closers.push(() => Promise.all(started.map((device) => device.close())));
    const waiting = Array.from({ length: count }, (_, i) => `outage-${run}-${i}`);
    const work = async () => {
      for (let id = waiting.pop(); id; id = waiting.pop()) {
        await unwrap(rest.api.devices.$post({ json: { id, hardware: 'esp32-s3' } }));
        const pair = await issueKeyPair(authority, { profile: 'device', commonName: id });
        started.push(startLightDevice({ id, pair, mqttUrl: broker.mqttUrl, trust: root + issuing, timing }));
      }
    };
    await Promise.all(Array.from({ length: 8 }, work));
    return started;
  }

  return {
    devices,
    broker,
    proxy,
    postgresql,
    async replaceWebhook() {
      await webhook?.close();
      webhook = await startCopy();
    },
    async actionMetrics(action) {
      const response = await fetch(
        `${broker.api.url.replace(/\/$/, '')}/api/v5/actions/http:${action}/metrics`,
        {
          headers: {
            authorization: `Basic ${Buffer.from(`${broker.api.key}:${broker.api.secret}`).toString('base64')}`,
          },
        },
      );
      return ((await response.json()) as { metrics: Record<string, number> }).metrics;
    },
    received: () =>
      query(
        database.db,
        sql`select device_id as "deviceId", message_id as "messageId", digest from received_messages where device_id in ${ids}`,
      ),
    async newest() {
      const rows = await query<{ id: string; n: number }>(
        database.db,
        sql`select device_id as id, seq_number as n from components where device_id in ${ids}`,
      );
      return new Map(rows.map((row) => [row.id, row.n]));
    },
    deadLetters: () => readCount(sql`select count(*) as n from dead_letters`),
    onlineInDatabase: () => readCount(sql`select count(*) as n from devices where online and id in ${ids}`),
  };
}
