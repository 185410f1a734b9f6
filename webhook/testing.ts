/** For tests only: a real webhook on a real database, with a recording broker, a store in memory and a CA that issues names. */
import { createHash, randomUUID } from 'node:crypto';
import { openAsBlob } from 'node:fs';
import { CompactSign, exportJWK, generateKeyPair, type JSONWebKeySet } from 'jose';
import postgres from 'postgres';
import { CaError, type PublishedCrl, type RevokingAuthority } from '#ca/client.ts';
import { program } from '#deploy/lab/primitives/programs.js';
import type { EmqxApi, PublishMessage, PublishOutcome } from '#emqx/api.ts';
import { mountedTopic, type UplinkTopic } from '#emqx/protocol.ts';
import { createPasswords } from './auth/password.ts';
import { connect, type Database } from './db/connect.ts';
import { openPglite } from './db/pglite.ts';
import type { Db } from './db/query.ts';
import type { ReconcileTimes } from './devices/reconcile.ts';
import type { FirmwareSigner } from './firmware/signer.ts';
import { createCourier } from './notifications/courier.ts';
import { startWebhook, type Webhook, type WebhookParts } from './server.ts';
import { createMemoryStore, type MemoryStore } from './testing-store.ts';
import { createTestWitness, issuingCertificate, type TestWitness } from './testing-witness.ts';

// biome-ignore lint/suspicious/noExplicitAny: the tests themselves look at what these hold
export type Json = any;

export const apiToken = 'api-token-for-tests';
export const webhookToken = 'webhook-token-for-tests';

export interface TestDatabase extends Database {
  /** More clients of the same database, as other copies have; only PostgreSQL takes more than one. */
  another(): Promise<Database>;
}

/**
 * PostgreSQL in a database of its own when TEST_DATABASE_URL names a server, PGlite in memory otherwise. `written`: what another
 * version left, as SQL; without it the database is empty.
 */
export async function openDatabase(written?: string): Promise<TestDatabase> {
  const server = process.env.TEST_DATABASE_URL;
  if (!server) {
    const kept = written === undefined && process.env.FLOTA_TEST_PGLITE;
    const client = await openPglite(kept ? { loadDataDir: await openAsBlob(kept) } : {});
    if (written !== undefined) await client.exec(written);
    const database = await connect({ client });
    return { ...database, another: async () => ({ ...database, close: async () => {} }) };
  }
  const name = `flota_test_${randomUUID().replaceAll('-', '')}`;
  const run = async (statement: string, at = server) => {
    const client = postgres(at, { max: 1, onnotice: () => {} });
    await client.unsafe(statement);
    await client.end();
  };
  // The server of `npm test` has one that is migrated already.
  const isMigrated = written === undefined && server === process.env.FLOTA_TEST_POSTGRESQL;
  await run(`create database ${name} ${isMigrated ? 'template flota_template strategy file_copy' : ''}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  if (written !== undefined) await run(written, url.href);
  const open = () => connect({ url: url.href, connections: 6 });
  const database = await open();
  return {
    ...database,
    another: open,
    async close() {
      await database.close();
      await run(`drop database ${name} with (force)`);
    },
  };
}

/** A database that can be away: every statement then fails as an unreachable server's would. */
export function interruptible(database: Database): Database & { away: boolean } {
  const gone = () =>
    Promise.reject(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }));
  const unlessAway = (db: Db): Db =>
    new Proxy(db, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property);
        if (typeof value !== 'function') return value;
        if (!result.away) return value.bind(target);
        return property === 'transaction' || property === 'execute' ? gone : () => failing(gone);
      },
    }) as Db;
  const result = {
    ...database,
    away: false,
    db: unlessAway(database.db),
    ingest: unlessAway(database.ingest),
  };
  return result;
}

/** A query builder whose chain ends in failure, whatever it is. */
function failing(fail: () => Promise<never>): unknown {
  return new Proxy(() => {}, {
    get: (_, property) => {
      if (property === 'then') return (yes: never, no: never) => fail().then(yes, no);
      if (property === 'catch') return (no: never) => fail().catch(no);
      return () => failing(fail);
    },
  });
}

export interface Sent {
  device: string;
  topic: string;
  body: Record<string, Json>;
  message: PublishMessage;
}

export interface RecordingBroker extends EmqxApi {
  sent: Sent[];
  /** How many messages each bulk call had, and for which topics. */
  calls: Sent[][];
  /** What becomes of a message; throw for a broker that is away. */
  answer: (sent: Sent) => PublishOutcome | Promise<PublishOutcome>;
  to(device: string, topic?: string): Sent[];
  /** In order; throw for a broker that is away. */
  kicked: string[];
  /** By client id; what was lifted is not in it. */
  banned: Map<string, string>;
  onBan: () => void;
  onKick: (device: string) => void;
}

export function createRecordingBroker(): RecordingBroker {
  const broker: RecordingBroker = {
    sent: [],
    calls: [],
    answer: () => ({ kind: 'routed' }),
    async publishBulk(messages) {
      const call = messages.map((message) => {
        const [, device, topic] = /^devices\/([^/]+)\/(.+)$/.exec(message.topic)!;
        return { device: device!, topic: topic!, body: JSON.parse(message.payload), message };
      });
      const outcomes = await Promise.all(call.map((sent) => broker.answer(sent)));
      broker.calls.push(call);
      broker.sent.push(...call.filter((_, i) => outcomes[i]!.kind === 'routed'));
      return outcomes;
    },
    to: (device, topic) => broker.sent.filter((s) => s.device === device && (!topic || s.topic === topic)),
    async *listClients() {},
    runningNodes: async () => ['emqx@127.0.0.1'],
    kicked: [],
    onKick: () => {},
    banned: new Map(),
    onBan: () => {},
    async ban(device, reason) {
      broker.onBan();
      broker.banned.set(device, reason);
    },
    async unban(device) {
      broker.onBan();
      broker.banned.delete(device);
    },
    async kick(device) {
      broker.onKick(device);
      broker.kicked.push(device);
      return true;
    },
    close() {},
  };
  return broker;
}

export interface TestAuthority extends RevokingAuthority {
  away: boolean;
  log: TestWitness;
  issued: number;
  /** Of what it issues. */
  lifetimeMs: number;
  revoked: Map<string, string>;
}

/** The last word, of a CSR or of a certificate. */
const keyOf = (text: string) => /\S+$/.exec(text)?.[0] ?? '';

/** Takes `CSR <common name> <key>` for a CSR; the same one again gets the same certificate. */
export function createTestAuthority(): TestAuthority {
  const byCsr = new Map<string, Awaited<ReturnType<RevokingAuthority['issue']>>>();
  const log = createTestWitness(() => authority.away);
  const authority: TestAuthority = {
    away: false,
    log,
    witness: log.witness,
    witnessed: log.witnessed,
    attest: log.attest,
    issued: 0,
    lifetimeMs: 86_400_000,
    revoked: new Map(),
    async issue({ csr, commonName, profile, sameKeyAs }) {
      if (authority.away) throw new CaError('ca_unavailable', 'away');
      const name = /^CSR (\S+) \S+$/.exec(csr)?.[1];
      if (!name) throw new CaError('csr_malformed', 'no CSR');
      if (name !== commonName) throw new CaError('csr_name_mismatch', `the CSR is for ${name}`);
      if (sameKeyAs && !csr.endsWith(keyOf(sameKeyAs))) throw new CaError('csr_key_mismatch', 'another key');
      const existing = byCsr.get(`${profile} ${csr}`);
      if (existing) return existing;
      authority.issued += 1;
      const serial = randomUUID().replaceAll('-', '').toUpperCase();
      const issued = {
        serial,
        commonName,
        certificate: `leaf ${serial} of ${keyOf(csr)}`,
        chain: 'issuing',
        notBefore: new Date().toISOString(),
        notAfter: new Date(Date.now() + authority.lifetimeMs).toISOString(),
        fingerprint: '',
      };
      byCsr.set(`${profile} ${csr}`, issued);
      return issued;
    },
    trust: async () => ({ root: 'root', issuing: issuingCertificate }),
    async revoke(serial, reason) {
      if (authority.away) throw new CaError('ca_unavailable', 'away');
      if (authority.revoked.has(serial)) throw new CaError('already_revoked', 'known');
      authority.revoked.set(serial, reason);
      return { serial, revokedAt: new Date().toISOString() };
    },
    crl: async () => (await authority.crls())[0]!.pem,
    async crls(): Promise<PublishedCrl[]> {
      if (authority.away) throw new CaError('ca_unavailable', 'away');
      const nextUpdate = new Date(Date.now() + 14 * 86_400_000).toISOString();
      const pem = `CRL ${[...authority.revoked.keys()].join(' ')}`;
      return [{ name: 'crl.pem', pem, number: authority.revoked.size + 1, nextUpdate }];
    },
  };
  return authority;
}

export async function createSigner(
  kid = 'test',
): Promise<
  FirmwareSigner & { keys: JSONWebKeySet; signAs: (body: object, header?: object) => Promise<string> }
> {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const signAs = (body: object, header: object = { kid }) =>
    new CompactSign(new TextEncoder().encode(JSON.stringify(body)))
      .setProtectedHeader({ alg: 'ES256', ...header })
      .sign(privateKey);
  return { sign: signAs, signAs, keys: { keys: [{ ...(await exportJWK(publicKey)), kid }] } };
}

export interface Answer {
  status: number;
  body: Json;
  headers: Headers;
}

export interface TestWebhook {
  copy: Webhook;
  broker: RecordingBroker;
  objects: MemoryStore;
  authority: TestAuthority;
  signer: Awaited<ReturnType<typeof createSigner>>;
  /** As the automation token's holder unless `headers` say otherwise. */
  api(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Posts what a rule would; answers the status. `row` may be a text that is no row at all. */
  event(row: unknown, headers?: Record<string, string>): Promise<Answer>;
  device(options?: {
    hardware?: string;
    region?: string;
    division?: string;
    tags?: string[];
  }): Promise<TestDevice>;
  firmware(options?: {
    hardware?: string;
    content?: string | Buffer;
  }): Promise<{ id: string; sha256: string; [k: string]: Json }>;
  deploy(firmwareId: string, ...devices: TestDevice[]): Promise<Json>;
  target(deployment: string, device: TestDevice): Promise<Json>;
  close(): Promise<void>;
}

/** The same scrypt at the lowest cost: `password.test.ts` holds the real one. */
export const cheapPasswords = () => createPasswords({ N: 2, r: 1, p: 1, maxmem: 1024 * 1024 });

export async function startTestWebhook(
  database: Database,
  parts: Partial<WebhookParts> & {
    admin?: { email: string; password: string };
    reconcile?: ReconcileTimes;
    receiveMs?: number;
  } = {},
): Promise<TestWebhook> {
  const broker = (parts.broker as RecordingBroker | undefined) ?? createRecordingBroker();
  const objects = (parts.objects as MemoryStore | undefined) ?? createMemoryStore();
  const authority = createTestAuthority();
  const signer = await createSigner();
  const copy = await startWebhook(
    {
      database,
      objects,
      broker,
      authority,
      signer,
      trustedKeys: signer.keys,
      log: () => {},
      webhookToken,
      apiToken,
      publicUrl: null,
      consoleDir: null,
      passwords: cheapPasswords(),
      patchProgram: program(new URL('./firmware/patches/worker.ts', import.meta.url)),
      courier: createCourier({ allowedNetworks: ['127.0.0.1/32'], mail: null }),
      ...parts,
    },
    {
      host: '127.0.0.1',
      port: 0,
      internalPort: 0,
      admin: parts.admin ?? null,
      pauses: { idleMs: 100, faultMs: 150 },
      reconcile: parts.reconcile,
      receiveMs: parts.receiveMs,
    },
  );
  const base = `http://127.0.0.1:${copy.port}`;
  const call = async (url: string, init: RequestInit): Promise<Answer> => {
    const response = await fetch(url, init);
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, body: isJson ? JSON.parse(text) : text, headers: response.headers };
  };
  const webhook: TestWebhook = {
    copy,
    broker,
    objects,
    authority,
    signer,
    api: (method, path, body, headers = { authorization: `Bearer ${apiToken}` }) =>
      call(base + path, {
        method,
        headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
    event: (row, headers = { authorization: `Bearer ${webhookToken}` }) =>
      call(`http://127.0.0.1:${copy.internalPort}/emqx/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof row === 'string' ? row : JSON.stringify(row),
      }),
    async device({ hardware = 'esp32-s3', ...rest } = {}) {
      const id = `dev-${randomUUID().slice(0, 13)}`;
      const { status, body } = await webhook.api('POST', '/api/devices', { id, hardware, ...rest });
      if (status !== 201) throw new Error(JSON.stringify(body));
      return createDevice(webhook, id);
    },
    async firmware({ hardware = 'esp32-s3', content = randomUUID() } = {}) {
      const version = `1.0.0-${randomUUID().slice(0, 8)}`;
      const file = { version, fileName: 'firmware.bin' };
      const { s3Path } = (await webhook.api('POST', '/api/s3/presigned_upload', file)).body;
      objects.objects.set(s3Path, Buffer.from(content));
      const registered = await webhook.api('POST', '/api/firmwares/metadata', {
        ...file,
        s3Path,
        hardware,
        releaseNote: '',
      });
      if (registered.status !== 201) throw new Error(JSON.stringify(registered.body));
      return registered.body;
    },
    async deploy(firmwareId, ...devices) {
      const answer = await webhook.api('POST', '/api/deployments', {
        firmwareId,
        devices: devices.map((d) => d.id),
      });
      if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
      return answer.body;
    },
    async target(deployment, device) {
      const { body } = await webhook.api('GET', `/api/deployments/${deployment}/targets?limit=1000`);
      return body.items.find((t: { device: string }) => t.device === device.id);
    },
    close: () => copy.close(),
  };
  return webhook;
}

export type TestDevice = ReturnType<typeof createDevice>;

/** Speaks for a device as the broker's rules would. `number` counts within boot 1; give `seq` to say otherwise. */
export function createDevice(webhook: TestWebhook, id: string) {
  let number = 0;
  const row = (topic: UplinkTopic | `/${UplinkTopic}`, body: object) => ({
    event: 'message',
    clientid: id,
    topic: mountedTopic(id, topic),
    payload: JSON.stringify({ id: randomUUID(), at: null, ...body }),
    cert: `CN=${id}`,
    received_at: Date.now(),
  });
  const running = (sha256: string) => ({ component: 'main', version: '1', securityVersion: 0, sha256 });
  const device = {
    id,
    row,
    running,
    send: (topic: UplinkTopic | `/${UplinkTopic}`, body: object) => webhook.event(row(topic, body)),
    critical: (topic: UplinkTopic, body: object) => device.send(topic, { seq: [1, number++], ...body }),
    connect: (connectedAt = Date.now(), serial = '0A') =>
      webhook.event({
        event: 'connected',
        clientid: id,
        cert: `SERIALNUMBER=${serial},CN=${id}`,
        peername: '127.0.0.1:1',
        connected_at: connectedAt,
      }),
    disconnect: (connectedAt = Date.now()) =>
      webhook.event({
        event: 'disconnected',
        clientid: id,
        reason: 'normal',
        connected_at: connectedAt,
        disconnected_at: Date.now(),
      }),
    subscribe: (serial?: string) =>
      webhook.event({
        event: 'subscribed',
        clientid: id,
        topic: mountedTopic(id, 'firmware/download/request'),
        cert: serial === undefined ? `CN=${id}` : `SERIALNUMBER=${serial},CN=${id}`,
      }),
    accept: (deployment: string, attempt = 1) =>
      device.critical('firmware/download/request/ack', { deployment, attempt, accepted: true }),
    result: (deployment: string, sha256: string, outcome = 'succeeded', more: object = {}) =>
      device.critical('firmware/download/result', {
        deployment,
        attempt: 1,
        outcome,
        running: running(sha256),
        ...more,
      }),
    boot: (sha256: string, seq: [number, number], reason = 'power_on', epoch?: string) =>
      device.send('status/health', {
        seq,
        epoch,
        state: 'ok',
        running: [running(sha256)],
        boot: { count: seq[0], reason },
      }),
    requests: () => webhook.broker.to(id, 'firmware/download/request'),
  };
  return device;
}

export function sha256Of(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
