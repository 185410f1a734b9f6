/**
 * Flota, wired: CA, file store, database, broker, webhook, and what stands between them. Each part is the one that production runs or stands
 * in for it behind the same protocol; where each one is say the options. Nothing else in this repository puts them together.
 */
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openAuthority } from '#ca/authority.ts';
import { type CertificateAuthority, connectAuthority, type RevokingAuthority } from '#ca/client.ts';
import { createEmqxApi } from '#emqx/api.ts';
import { createInspector } from '#emqx/inspect.ts';
import { loadRules } from '#emqx/rules.ts';
import { findCrlAddress } from '#emqx/standin/crl-check.ts';
import type { SigningKey } from '#firmware/signing/key.ts';
import { connect, type Database } from '#webhook/db/connect.ts';
import { createObjectStore } from '#webhook/firmware/objects.ts';
import { readMasterKeys } from '#webhook/firmware/sealing/master-keys.ts';
import type { Log } from '#webhook/log.ts';
import { createCourier } from '#webhook/notifications/courier.ts';
import { lockDataDirectory } from '../../local/data-lock.ts';
import { damaged } from '../../local/durable-file.ts';
import { loadSealingKey, loadSecrets, type Secrets } from '../../local/secrets.ts';
import { openSigningKey } from '../../local/signing-key.ts';
import { holdPort } from '../primitives/listen.ts';
import { until } from '../primitives/until.ts';
import { createRest, type Rest } from '../rest.ts';
import { configureEmqx, createStandin, type EmqxAccess } from './broker.ts';
import { type Gate, startGate } from './gate.ts';
import { openLocalDatabase } from './kept-database.ts';
import type { SystemOptions } from './options.ts';
import { createProcess, type Part } from './part.ts';
import { createProxy } from './proxy.ts';
import { issueIdentity, openSite, type Site } from './site.ts';
import { canConnect, createStore } from './store.ts';
import { createCopies, createCopyHere } from './webhook.ts';

export interface System {
  /** Console and REST API. */
  url: string;
  /** Where the broker's rules post to. */
  internalUrl: string;
  mqttUrl: string;
  /** Where this process reaches the file store; undefined for AWS itself. */
  storeUrl: string | undefined;
  /** Where devices download. */
  deviceStoreUrl: string | undefined;
  /** PEM of the root and issuing CA. */
  trust: string;
  authority: CertificateAuthority;
  /** What devices verify manifests against is its public half. */
  signing: SigningKey;
  /** A webhook that is apart has no key: manifests are put. */
  signsItself: boolean;
  admin: { email: string; password: string };
  apiToken: string;
  webhookToken: string;
  rest: Rest;
  emqx: EmqxAccess;
  /** Those that are ours; the others are null. */
  ca: Part | null;
  store: Part | null;
  broker: Part | null;
  proxy: Part | null;
  copies: Part[];
  /** Of each copy. */
  metricsUrls: string[];
  gate: Gate | null;
  close(): Promise<void>;
}

type Closers = (() => unknown)[];
const bucket = 'flota';
const region = 'us-east-1';
const publishedWithinMs = 15_000;

/** Rejects with what stood in the way (DataDirectoryInUse, EADDRINUSE, EACCES …), after closing what had been started. */
export async function startSystem(options: SystemOptions): Promise<System> {
  const closers: Closers = [];
  const close = async () => {
    for (const end of closers.splice(0).reverse()) await end();
  };
  try {
    mkdirSync(options.dataDir, { recursive: true, mode: 0o700 });
    closers.push(await lockDataDirectory(options.dataDir));
    return { ...(await startParts(options, closers)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startParts(options: SystemOptions, closers: Closers): Promise<Omit<System, 'close'>> {
  const { dataDir, host, log } = options;
  const site = openSite(dataDir, options.apart, options.env ?? {});
  const secrets = loadSecrets(dataDir);
  const { webhookToken } = secrets;
  const apiToken = options.apiToken ?? secrets.apiToken;
  const admin = { email: options.adminEmail, password: options.adminPassword ?? secrets.adminPassword };
  /** Known before anybody listens there, and kept. */
  const port = (wanted = 0): number => {
    if (wanted !== 0) return wanted;
    const held = holdPort(host);
    closers.push(held.release);
    return held.port;
  };
  const start = async (part: Part): Promise<Part> => {
    closers.push(() => part.stop());
    await part.start();
    return part;
  };
  const ports = {
    http: port(options.ports.http),
    internal: port(options.ports.internal),
    mqtt: port(options.ports.mqtt),
    emqxApi: port(options.ports.emqxApi),
    s3: port(options.ports.s3),
    s3Tls: port(options.ports.s3Tls),
  };
  const isApart = site.apart.has('webhook');
  const url = `http://localhost:${ports.http}`;
  // What is apart is asked for no CRL: whoever watches the webhook being killed watches nothing else.
  const crlAddress = isApart ? undefined : `${url}/crl/crl.pem`;

  const authority = options.ca
    ? connectAuthority(options.ca)
    : await openAuthority({
        ...(options.authority ?? { dir: join(dataDir, 'ca'), passphrase: secrets.caPassphrase }),
        ...(crlAddress && { crlUrl: crlAddress }),
        ...(options.deviceCertificateSeconds && { lifetimes: { device: options.deviceCertificateSeconds } }),
      });
  const { root, issuing } = await authority.trust();
  const trust = `${root.trim()}\n${issuing.trim()}\n`;
  const caPort = site.apart.has('ca') ? port() : null;
  const ca = caPort === null ? null : await start(createCa(site, options, secrets, caPort));

  const credentials = { accessKeyId: secrets.s3AccessKeyId, secretAccessKey: secrets.s3SecretAccessKey };
  let store: Part | null = null;
  if (!options.s3) {
    const tls = await issueIdentity(authority, 'broker', 'store');
    const dir = join(dataDir, 'store');
    const listens = { host, dir, httpPort: ports.s3, httpsPort: ports.s3Tls, tls };
    store = await start(createStore(site, { ...listens, bucket, ...credentials, region, corsOrigins: '*' }));
  }

  // With copies of its own behind it nginx has the addresses that everybody knows.
  const copyPorts = isApart
    ? Array.from({ length: 2 }, () => ({ http: port(), internal: port() }))
    : [{ http: ports.http, internal: ports.internal }];
  const publicStore = isApart ? { http: port(), https: port() } : { http: ports.s3, https: ports.s3Tls };
  const proxy = isApart
    ? await start(await createEdge(site, authority, ports, publicStore, copyPorts))
    : null;
  const objectSettings = options.s3 ?? {
    endpoint: `http://127.0.0.1:${ports.s3}`,
    publicUrl: `http://localhost:${publicStore.http}`,
    deviceUrl: `https://localhost:${publicStore.https}`,
    bucket,
    region,
    credentials,
  };

  const internalUrl = `http://127.0.0.1:${ports.internal}`;
  const gate = options.gate ? await startGate(internalUrl, options.gate.host) : null;
  if (gate) closers.push(() => gate.close());
  const config = loadRules({ webhookUrl: gate?.url ?? internalUrl, webhookToken });
  options.tune?.(config);
  const emqx = options.emqx ?? {
    url: `http://127.0.0.1:${ports.emqxApi}`,
    key: secrets.emqxKey,
    secret: secrets.emqxSecret,
    mqttUrl: `mqtts://localhost:${ports.mqtt}`,
  };
  let broker: Part | null = null;
  // Nobody else knows the gate. Without one the rules of a real EMQX are its operator's.
  if (options.emqx && gate) await configureEmqx(emqx, config);
  if (!options.emqx) {
    const identity = await issueIdentity(authority, 'broker', 'broker');
    // A CA of one's own (CA_URL) may name none.
    const namesCrl = crlAddress && findCrlAddress(new X509Certificate(identity.cert).raw) !== undefined;
    const crl = {
      refreshMs: options.crlRefreshMs,
      // Certificates outlive the port that an earlier start had.
      ...(!options.ca && {
        locate: (address: string) => new URL(new URL(address).pathname, crlAddress).href,
      }),
    };
    const standin = {
      host,
      mqttPort: ports.mqtt,
      apiPort: ports.emqxApi,
      tls: { ...identity, ca: trust },
      ...(namesCrl && { crl }),
      acl: readFileSync(new URL('../../../emqx/conf/acl.conf', import.meta.url), 'utf8'),
      conf: readFileSync(new URL('../../../emqx/conf/emqx.conf', import.meta.url), 'utf8'),
      config,
      apiKey: emqx.key,
      apiSecret: emqx.secret,
      ...(options.actionHangMs && { actionHangMs: options.actionHangMs }),
    };
    broker = await start(createStandin(site, standin, log));
  }

  const signing = await openSigningKey(dataDir);
  let copies: Part[];
  if (isApart) {
    if (!options.databaseUrl || caPort === null || options.s3)
      throw new Error(
        'a webhook apart needs a database by its address, and the CA and the store as processes',
      );
    const program = options.programs?.webhook ?? site.source('../../../webhook/main.ts');
    const settings = {
      program,
      url,
      databaseUrl: options.databaseUrl,
      objects: { ...objectSettings, credentials },
    };
    const access = {
      emqx,
      caUrl: `https://localhost:${caPort}`,
      trust,
      authority,
      signing,
      webhookToken,
      apiToken,
    };
    copies = (await createCopies(site, { ...settings, ...access }, copyPorts)).slice(0, options.copies);
    await Promise.all(copies.map(start));
  } else {
    const objects = createObjectStore({ ...objectSettings, ...(options.cdn && { cdn: options.cdn }) });
    closers.push(() => objects.close());
    const database = await (options.openDatabase?.() ?? openDatabase(options));
    closers.push(() => database.close());
    const api = createEmqxApi(emqx);
    closers.push(() => api.close());
    const consoleDir = new URL('../../../console/dist', import.meta.url).pathname;
    const parts = {
      database,
      objects,
      broker: api,
      inspector: createInspector(emqx),
      mqttUrl: emqx.mqttUrl,
      dashboardUrl: options.emqx ? (options.dashboardUrl ?? undefined) : undefined,
      authority,
      signer: signing,
      trustedKeys: signing.publicKeys,
      masterKeys: readMasterKeys(loadSealingKey(dataDir)),
      patchProgram: site.source('../../../webhook/firmware/patches/worker.ts'),
      ...(options.passwords && { passwords: options.passwords }),
      log,
      webhookToken,
      apiToken,
      publicUrl: options.publicUrl,
      proxies: options.proxies,
      requestsPerMinute: options.requestsPerMinute ?? undefined,
      tokenMaxDays: options.tokenMaxDays,
      oidc: options.oidc ?? undefined,
      consoleDir: existsSync(consoleDir) ? consoleDir : null,
      ...(options.courier && { courier: createCourier(options.courier) }),
      ...(options.silentHours && { silentHours: options.silentHours }),
      transferPrice: options.transferPrice ?? null,
      ...(options.localRoutes && { localRoutes: options.localRoutes }),
    };
    const { retention, reconcile } = options;
    const listens = { host, port: ports.http, internalPort: ports.internal, admin, retention };
    copies = [await start(createCopyHere(parts, { ...listens, ...(reconcile && { reconcile }) }))];
    await untilPublished(authority, crlAddress!, log);
  }
  return {
    url: options.publicUrl ?? url,
    internalUrl,
    mqttUrl: emqx.mqttUrl,
    storeUrl: objectSettings.endpoint,
    deviceStoreUrl: objectSettings.deviceUrl,
    trust,
    authority,
    signing,
    signsItself: !isApart,
    admin,
    apiToken,
    webhookToken,
    rest: createRest(url, apiToken),
    emqx,
    ca,
    store,
    broker,
    proxy,
    copies,
    metricsUrls: copyPorts.map(({ internal }) => `http://127.0.0.1:${internal}/metrics`),
    gate,
  };
}

function openDatabase({ databaseUrl, dataDir }: SystemOptions): Promise<Database> {
  if (databaseUrl) return connect({ url: databaseUrl });
  const dir = join(dataDir, 'database');
  return openLocalDatabase(dir).catch((cause: Error) => {
    // PGlite's own words are a stack trace of PostgreSQL compiled to WebAssembly.
    throw Object.assign(damaged(dir), { cause });
  });
}

/** Before that, the broker would refuse every device. A store that is away is no reason not to start: the webhook goes on trying. */
async function untilPublished(authority: RevokingAuthority, address: string, log: Log): Promise<void> {
  for (const { name, pem } of await authority.crls()) {
    const read = async () => (await fetch(new URL(name, address))).text();
    await until(read, (text) => text === pem, publishedWithinMs).catch(() =>
      log('warn', 'no CRL is published yet: devices are refused', { name }),
    );
  }
}

/** The private service, on the directory that this process issues from, too. */
function createCa(site: Site, { programs }: SystemOptions, secrets: Secrets, port: number): Part {
  return createProcess({
    name: 'CA',
    command: process.execPath,
    args: programs?.ca ?? site.source('../../../ca/main.ts'),
    env: {
      ...site.env,
      CA_DIR: join(site.dir, 'ca'),
      CA_PORT: String(port),
      CA_PASSPHRASE_FILE: site.file('passphrase', secrets.caPassphrase),
    },
    logFile: join(site.dir, 'ca.log'),
    ready: () => canConnect(port),
  });
}

async function createEdge(
  site: Site,
  authority: CertificateAuthority,
  ports: { http: number; internal: number; s3: number },
  publicStore: { http: number; https: number },
  copies: { http: number; internal: number }[],
): Promise<Part> {
  const edge = await issueIdentity(authority, 'broker', 'edge');
  site.file('certs/key.pem', edge.key);
  site.file('certs/cert.pem', edge.cert);
  const local = (port: number) => `127.0.0.1:${port}`;
  return createProxy(join(site.dir, 'proxy'), {
    PROXY_LISTEN: '127.0.0.1',
    PROXY_EVENTS_PORT: String(ports.internal),
    PROXY_CONSOLE_PORT: String(ports.http),
    PROXY_STORE_PORT: String(publicStore.http),
    PROXY_STORE_TLS_PORT: String(publicStore.https),
    PROXY_COPY_1: local(copies[0]!.http),
    PROXY_COPY_1_INTERNAL: local(copies[0]!.internal),
    PROXY_COPY_2: local(copies[1]!.http),
    PROXY_COPY_2_INTERNAL: local(copies[1]!.internal),
    PROXY_STORE: local(ports.s3),
    PROXY_CERTS: join(site.dir, 'certs'),
  });
}
