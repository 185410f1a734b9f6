/**
 * The system as production has it, each part a process that can be killed: PostgreSQL, CA, file store, broker stand-in, two copies of the
 * webhook, and nginx with the proxy file of deploy/compose between them, the broker and the devices.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type LocalAuthority, openAuthority } from '#ca/authority.ts';
import { issueKeyPair } from '#ca/key-pair.ts';
import { loadRules } from '#emqx/rules.ts';
import type { BrokerOptions } from '#emqx/standin/broker.ts';
import { makeKey, openKey, type SigningKey } from '#firmware/signing/key.ts';
import { type Cluster, createCluster } from '../../.ci/postgresql.ts';
import { createRest, type Rest } from '../local/rest.ts';
import type { StoreOptions } from '../local/store/store.ts';
import { createPart, type PartProcess } from './process.ts';
import { canConnect, createProxy } from './proxy.ts';

export interface System {
  /** The console's address, through the proxy. */
  url: string;
  /** Where the broker posts to, through the proxy. */
  eventsUrl: string;
  webhookToken: string;
  mqttUrl: string;
  /** Where devices download, through the proxy. */
  deviceStorePort: number;
  /** PEM of root and issuing CA. */
  trust: string;
  signing: SigningKey;
  authority: LocalAuthority;
  rest: Rest;
  postgresql: Cluster;
  copies: PartProcess[];
  /** Where each copy tells its metrics, in the order of `copies`. */
  metricsUrls: string[];
  broker: PartProcess;
  store: PartProcess;
  ca: PartProcess;
  proxy: PartProcess;
  close(): Promise<void>;
}

export interface Programs {
  webhook: string[];
  ca: string[];
}

const source = (path: string) => ['--import', 'tsx', fileURLToPath(new URL(path, import.meta.url))];
export const fromSource: Programs = {
  webhook: source('../../webhook/main.ts'),
  ca: source('../../ca/main.ts'),
};

/** Everything below `dir`, which the caller removes. */
export async function startSystem(dir: string, programs: Programs = fromSource): Promise<System> {
  const closers: (() => unknown)[] = [];
  const close = async () => {
    for (const end of closers.splice(0).reverse()) await end();
  };
  try {
    return { ...(await startParts(dir, programs, closers)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startParts(
  dir: string,
  programs: Programs,
  closers: (() => unknown)[],
): Promise<Omit<System, 'close'>> {
  const secret = () => randomBytes(18).toString('base64url');
  const [webhookToken, apiToken, emqxSecret, s3Secret, passphrase] = [
    secret(),
    secret(),
    secret(),
    secret(),
    secret(),
  ];
  const file = (name: string, content: string) => {
    writeFileSync(join(dir, name), content, { mode: 0o600 });
    return join(dir, name);
  };
  const ports = await findFreePorts([
    ...([
      'ca',
      'store',
      'storeTls',
      'mqtt',
      'emqxApi',
      'events',
      'console',
      'publicStore',
      'deviceStore',
    ] as const),
    ...(['copy1', 'copy1Internal', 'copy2', 'copy2Internal'] as const),
  ]);
  const local = (port: number) => `127.0.0.1:${port}`;
  const start = async (part: PartProcess) => {
    closers.push(() => part.stop('SIGTERM').then(() => part.stop()));
    await part.start();
    return part;
  };
  const node = process.execPath;

  const postgresql = await createCluster();
  closers.push(() => postgresql.remove());

  const authority = await openAuthority({ dir: join(dir, 'ca'), passphrase });
  const { root, issuing } = await authority.trust();
  const trust = root + issuing;
  const identity = async (profile: 'service' | 'broker', commonName: string) => {
    const pair = await issueKeyPair(authority, { profile, commonName, names: ['localhost', '127.0.0.1'] });
    return { key: pair.key, cert: pair.certificate + pair.chain };
  };
  const ca = await start(
    createPart({
      name: 'CA',
      command: node,
      args: programs.ca,
      env: {
        CA_DIR: join(dir, 'ca'),
        CA_PORT: String(ports.ca),
        CA_PASSPHRASE_FILE: file('passphrase', passphrase),
      },
      logFile: join(dir, 'ca.log'),
      ready: () => canConnect(ports.ca),
    }),
  );

  const s3 = { accessKeyId: 'FLOTASOAK', secretAccessKey: s3Secret };
  const storeOptions: StoreOptions = {
    host: '127.0.0.1',
    dir: join(dir, 'store'),
    httpPort: ports.store,
    httpsPort: ports.storeTls,
    tls: await identity('broker', 'store'),
    bucket: 'flota',
    ...s3,
    region: 'us-east-1',
    corsOrigins: '*',
  };
  const store = await start(
    createPart({
      name: 'file store',
      command: node,
      args: [...source('./store-process.ts'), file('store.json', JSON.stringify(storeOptions))],
      logFile: join(dir, 'store.log'),
      ready: () => canConnect(ports.store),
    }),
  );

  mkdirSync(join(dir, 'certs'), { recursive: true });
  const edge = await identity('broker', 'edge');
  file('certs/key.pem', edge.key);
  file('certs/cert.pem', edge.cert);
  const proxy = await start(
    createProxy(join(dir, 'proxy'), {
      PROXY_LISTEN: '127.0.0.1',
      PROXY_EVENTS_PORT: String(ports.events),
      PROXY_CONSOLE_PORT: String(ports.console),
      PROXY_STORE_PORT: String(ports.publicStore),
      PROXY_STORE_TLS_PORT: String(ports.deviceStore),
      PROXY_COPY_1: local(ports.copy1),
      PROXY_COPY_1_INTERNAL: local(ports.copy1Internal),
      PROXY_COPY_2: local(ports.copy2),
      PROXY_COPY_2_INTERNAL: local(ports.copy2Internal),
      PROXY_STORE: local(ports.store),
      PROXY_CERTS: join(dir, 'certs'),
    }),
  );

  const eventsUrl = `http://${local(ports.events)}`;
  const config = loadRules({ webhookUrl: eventsUrl, webhookToken });
  const brokerOptions: BrokerOptions = {
    host: '127.0.0.1',
    mqttPort: ports.mqtt,
    apiPort: ports.emqxApi,
    tls: { ...(await identity('broker', 'emqx')), ca: trust },
    acl: readFileSync(new URL('../../emqx/conf/acl.conf', import.meta.url), 'utf8'),
    config,
    apiKey: 'soak',
    apiSecret: emqxSecret,
  };
  const broker = await start(
    createPart({
      name: 'broker',
      command: node,
      args: [...source('./broker-process.ts'), file('broker.json', JSON.stringify(brokerOptions))],
      logFile: join(dir, 'broker.log'),
      ready: async () => (await canConnect(ports.mqtt)) && canConnect(ports.emqxApi),
    }),
  );

  const signing = await openKey(makeKey());
  const client = await identity('service', 'webhook.flota');
  const url = `http://localhost:${ports.console}`;
  const environment = {
    PUBLIC_URL: url,
    TRUSTED_PROXIES: '1',
    DATABASE_URL_FILE: file('database_url', postgresql.url),
    S3_ENDPOINT: `http://${local(ports.store)}`,
    S3_PUBLIC_URL: `http://localhost:${ports.publicStore}`,
    S3_DEVICE_URL: `https://localhost:${ports.deviceStore}`,
    S3_BUCKET: 'flota',
    AWS_SHARED_CREDENTIALS_FILE: file(
      'aws_credentials',
      `[default]\naws_access_key_id=${s3.accessKeyId}\naws_secret_access_key=${s3.secretAccessKey}\n`,
    ),
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    EMQX_API_URL: `http://${local(ports.emqxApi)}`,
    EMQX_API_KEY: 'soak',
    EMQX_API_SECRET_FILE: file('emqx_secret', emqxSecret),
    CA_URL: `https://localhost:${ports.ca}`,
    CA_CLIENT_CERT: file('webhook.pem', client.cert),
    CA_CLIENT_KEY: file('webhook.key', client.key),
    CA_ROOT: file('root.pem', trust),
    WEBHOOK_TOKEN_FILE: file('webhook_token', `${webhookToken}\n`),
    FLOTA_API_TOKEN_FILE: file('api_token', apiToken),
    FIRMWARE_KEYS: file('keys.json', JSON.stringify(signing.publicKeys)),
  };
  const copies = ([1, 2] as const).map((number) => {
    const [port, internal] = [ports[`copy${number}`], ports[`copy${number}Internal`]];
    return createPart({
      name: `webhook ${number}`,
      command: node,
      args: programs.webhook,
      env: { ...environment, PORT: String(port), INTERNAL_PORT: String(internal) },
      logFile: join(dir, `webhook-${number}.log`),
      ready: async () => (await fetch(`http://${local(port)}/readyz`)).ok,
    });
  });
  await Promise.all(copies.map(start));
  return {
    url,
    eventsUrl,
    webhookToken,
    mqttUrl: `mqtts://localhost:${ports.mqtt}`,
    deviceStorePort: ports.deviceStore,
    trust,
    signing,
    authority,
    rest: createRest(url, apiToken),
    postgresql,
    copies,
    metricsUrls: [ports.copy1Internal, ports.copy2Internal].map((port) => `http://${local(port)}/metrics`),
    broker,
    store,
    ca,
    proxy,
  };
}

/** All are held until the last is known, so that no two are the same. */
async function findFreePorts<Name extends string>(names: Name[]): Promise<Record<Name, number>> {
  const servers = await Promise.all(
    names.map(
      () =>
        new Promise<Server>((resolve, reject) => {
          const server = createServer();
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const entries = servers.map((server, i) => [names[i], (server.address() as { port: number }).port]);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return Object.fromEntries(entries);
}
