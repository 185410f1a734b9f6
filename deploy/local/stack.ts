/**
 * Everything but the devices, in one process: CA, file store, database, broker stand-in, webhook with console. Each part is the one that
 * production runs, or stands in for it behind the same protocol; each can be replaced by a real one (`LocalConfig`).
 */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { JSONWebKeySet } from 'jose';
import { openAuthority } from '#ca/authority.ts';
import { connectAuthority, type RevokingAuthority } from '#ca/client.ts';
import { issueKeyPair } from '#ca/key-pair.ts';
import { createEmqxApi } from '#emqx/api.ts';
import { createInspector } from '#emqx/inspect.ts';
import { loadRules } from '#emqx/rules.ts';
import { startBroker } from '#emqx/standin/broker.ts';
import { findCrlAddress } from '#emqx/standin/crl-check.ts';
import { connect, type Database } from '#webhook/db/connect.ts';
import { createObjectStore, type ObjectStoreSettings } from '#webhook/firmware/objects.ts';
import type { Log } from '#webhook/log.ts';
import { startWebhook, type WebhookParts } from '#webhook/server.ts';
import type { LocalConfig } from './config.ts';
import { lockDataDirectory } from './data-lock.ts';
import { damaged } from './durable-file.ts';
import { loadSecrets } from './secrets.ts';
import { openSigningKey } from './signing-key.ts';
import { startStore } from './store/store.ts';

export interface Stack {
  /** The console. */
  url: string;
  internalUrl: string;
  mqttUrl: string;
  /** Where this process reaches the file store; undefined for AWS itself. */
  storeUrl: string | undefined;
  /** PEM of the root and issuing CA. */
  trust: string;
  /** What devices verify manifests against. */
  signingKeys: JSONWebKeySet;
  admin: { email: string; password: string };
  apiToken: string;
  webhookToken: string;
  /** The broker's HTTP API. */
  emqx: { url: string; key: string; secret: string };
  /** For experiments: takes a local part away, with what it has in memory, and brings it back on the same ports. */
  outage: { broker(downMs: number): Promise<void>; store(downMs: number): Promise<void> };
  close(): Promise<void>;
}

const bucket = 'flota';
const publishedWithinMs = 15_000;

/** Rejects with what stood in the way (DataDirectoryInUse, EADDRINUSE, EACCES …), after closing what had been started. */
export async function startStack(
  config: LocalConfig,
  log: Log,
  localRoutes?: WebhookParts['localRoutes'],
): Promise<Stack> {
  const closers: (() => unknown)[] = [];
  const close = async () => {
    for (const end of closers.splice(0).reverse()) await end();
  };
  try {
    mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
    closers.push(await lockDataDirectory(config.dataDir));
    return { ...(await startParts(config, log, closers, localRoutes)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startParts(
  config: LocalConfig,
  log: Log,
  closers: (() => unknown)[],
  localRoutes: WebhookParts['localRoutes'],
): Promise<Omit<Stack, 'close'>> {
  const { dataDir, host, ports } = config;
  const secrets = loadSecrets(dataDir);
  const webhookToken = secrets.webhookToken;
  const apiToken = config.apiToken ?? secrets.apiToken;
  const admin = { email: config.adminEmail, password: config.adminPassword ?? secrets.adminPassword };

  // The rules must know where the webhook listens before it does, and the certificates where CRLs will be.
  const [httpPort, internalPort] = await choosePorts(host, [ports.http, ports.internal]);
  const crlAddress = `http://localhost:${httpPort}/crl/crl.pem`;

  const authority = config.ca
    ? connectAuthority(config.ca)
    : await openAuthority({
        dir: join(dataDir, 'ca'),
        passphrase: secrets.caPassphrase,
        crlUrl: crlAddress,
        ...(config.deviceCertificateSeconds && { lifetimes: { device: config.deviceCertificateSeconds } }),
      });
  const { root, issuing } = await authority.trust();
  const trust = `${root.trim()}\n${issuing.trim()}\n`;
  const serverIdentity = async (commonName: string) => {
    const names = ['localhost', '127.0.0.1'];
    const pair = await issueKeyPair(authority, { profile: 'broker', commonName, names });
    return { key: pair.key, cert: `${pair.certificate.trim()}\n${pair.chain.trim()}\n` };
  };

  const notLocal = () => Promise.reject(new Error('that part is not a local one'));
  const outage: Stack['outage'] = { broker: notLocal, store: notLocal };

  let objectSettings: ObjectStoreSettings;
  if (config.s3) objectSettings = config.s3;
  else {
    const credentials = { accessKeyId: secrets.s3AccessKeyId, secretAccessKey: secrets.s3SecretAccessKey };
    const tls = await serverIdentity('store');
    const start = (httpPort: number, httpsPort: number) =>
      startStore({
        host,
        dir: join(dataDir, 'store'),
        httpPort,
        httpsPort,
        tls,
        bucket,
        ...credentials,
        region: 'us-east-1',
        corsOrigins: '*',
      });
    let store = await start(ports.s3, ports.s3Tls);
    closers.push(() => store.close());
    outage.store = async (downMs) => {
      await store.close();
      await delay(downMs);
      store = await start(store.httpPort, store.httpsPort);
    };
    objectSettings = {
      endpoint: `http://127.0.0.1:${store.httpPort}`,
      publicUrl: `http://localhost:${store.httpPort}`,
      deviceUrl: `https://localhost:${store.httpsPort}`,
      bucket,
      region: 'us-east-1',
      credentials,
    };
  }
  const objects = createObjectStore({ ...objectSettings, ...(config.cdn && { cdn: config.cdn }) });
  closers.push(() => objects.close());

  const database = await openDatabase(config);
  closers.push(() => database.close());

  const internalUrl = `http://127.0.0.1:${internalPort}`;
  let emqx = config.emqx;
  if (!emqx) {
    const identity = await serverIdentity('broker');
    // A CA of one's own (CA_URL) may name none.
    const namesCrl = findCrlAddress(new X509Certificate(identity.cert).raw) !== undefined;
    const start = (mqttPort: number, apiPort: number) =>
      startBroker({
        host,
        mqttPort,
        apiPort,
        tls: { ...identity, ca: trust },
        ...(namesCrl && {
          crl: {
            refreshMs: config.crlRefreshMs,
            // Certificates outlive the port that an earlier start had.
            ...(!config.ca && { locate: (address) => new URL(new URL(address).pathname, crlAddress).href }),
          },
        }),
        acl: readFileSync(new URL('../../emqx/conf/acl.conf', import.meta.url), 'utf8'),
        config: loadRules({ webhookUrl: internalUrl, webhookToken }),
        apiKey: secrets.emqxKey,
        apiSecret: secrets.emqxSecret,
        log,
      });
    let broker = await start(ports.mqtt, ports.emqxApi);
    closers.push(() => broker.close());
    outage.broker = async (downMs) => {
      await broker.close();
      await delay(downMs);
      broker = await start(broker.mqttPort, broker.apiPort);
    };
    emqx = {
      url: `http://127.0.0.1:${broker.apiPort}`,
      key: secrets.emqxKey,
      secret: secrets.emqxSecret,
      mqttUrl: `mqtts://localhost:${broker.mqttPort}`,
    };
  }

  const signing = await openSigningKey(dataDir);
  const consoleDir = new URL('../../console/dist', import.meta.url).pathname;
  const webhook = await startWebhook(
    {
      database,
      objects,
      broker: createEmqxApi(emqx),
      inspector: createInspector(emqx),
      dashboardUrl: config.emqx && config.dashboardUrl,
      authority,
      signer: signing,
      trustedKeys: signing.publicKeys,
      log,
      webhookToken,
      apiToken,
      publicUrl: config.publicUrl,
      proxies: config.proxies,
      consoleDir: existsSync(consoleDir) ? consoleDir : null,
      ...(localRoutes && { localRoutes }),
    },
    { host, port: httpPort, internalPort, admin, retention: config.retention },
  );
  closers.push(() => webhook.close());
  await untilPublished(authority, crlAddress, log);
  return {
    url: webhook.url,
    internalUrl,
    mqttUrl: emqx.mqttUrl,
    storeUrl: objectSettings.endpoint,
    trust,
    signingKeys: signing.publicKeys,
    admin,
    apiToken,
    webhookToken,
    emqx,
    outage,
  };
}

function openDatabase({ databaseUrl, dataDir }: LocalConfig): Promise<Database> {
  if (databaseUrl) return connect({ url: databaseUrl });
  const dir = join(dataDir, 'database');
  return connect({ dir }).catch((cause: Error) => {
    // PGlite's own words are a stack trace of PostgreSQL compiled to WebAssembly.
    throw Object.assign(damaged(dir), { cause });
  });
}

/** Before that, the broker would refuse every device. A store that is away is no reason not to start: the webhook goes on trying. */
async function untilPublished(authority: RevokingAuthority, address: string, log: Log): Promise<void> {
  const crls = await authority.crls();
  const end = Date.now() + publishedWithinMs;
  for (const { name, pem } of crls) {
    while ((await (await fetch(new URL(name, address))).text()) !== pem) {
      if (Date.now() > end) return log('warn', 'no CRL is published yet: devices are refused', { name });
      await delay(20);
    }
  }
}

/** Free ones for those that are 0; all are held until the last is found, so that no two are the same. */
async function choosePorts<T extends number[]>(host: string, wanted: [...T]): Promise<T> {
  const servers: Server[] = [];
  const chosen: number[] = [];
  for (const port of wanted) {
    if (port !== 0) {
      chosen.push(port);
      continue;
    }
    const server = createServer();
    server.listen(0, host);
    await once(server, 'listening');
    servers.push(server);
    chosen.push((server.address() as AddressInfo).port);
  }
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return chosen as T;
}
