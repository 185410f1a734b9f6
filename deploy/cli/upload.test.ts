/** Uploads that break off, and the bytes that the file store is sent for them. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openAuthority } from '#ca/authority.ts';
import { issueKeyPair } from '#ca/key-pair.ts';
import { createObjectStore, type ObjectStore } from '#webhook/firmware/objects.ts';
import { apiToken, openDatabase, sha256Of, startTestWebhook, type TestWebhook } from '#webhook/testing.ts';
import { listen } from '../lab/primitives/listen.ts';
import { type Store, startStore } from '../local/store/store.ts';
import { startFlota } from './testing.ts';

const dir = mkdtempSync(join(tmpdir(), 'flota-upload-'));
const partBytes = 5 * 1024 ** 2;
const content = randomBytes(2 * partBytes + 100_000);
const file = join(dir, 'large.bin');
const credentials = { accessKeyId: 'key', secretAccessKey: 'secret' };
let store: Store;
let way: Server;
let objects: ObjectStore;
let webhook: TestWebhook;
let env: Record<string, string>;
const closers: (() => unknown)[] = [];

/** Of everything that went through to the store. */
let passed = 0;
/** What is done once so much has passed, and nothing more does on that connection. */
let at: { bytes: number; act: (cut: () => void) => void } | null = null;

beforeAll(async () => {
  writeFileSync(file, content);
  const authority = await openAuthority({ dir: join(dir, 'ca') });
  const pair = await issueKeyPair(authority, {
    profile: 'broker',
    commonName: 'store',
    names: ['localhost'],
  });
  store = await startStore({
    ...{ host: '127.0.0.1', dir: join(dir, 'store'), httpPort: 0, httpsPort: 0, bucket: 'flota' },
    tls: { key: pair.key, cert: pair.certificate + pair.chain },
    ...{ region: 'us-east-1', corsOrigins: [], ...credentials },
  });
  way = createServer((from) => {
    const to = connect(store.httpPort, '127.0.0.1');
    const cut = () => [from, to].forEach((socket) => void socket.destroy());
    from.on('data', (chunk) => {
      passed += chunk.length;
      if (at && passed >= at.bytes) {
        const { act } = at;
        at = null;
        from.pause();
        return act(cut);
      }
      if (!to.write(chunk)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
    });
    to.pipe(from);
    for (const socket of [from, to]) socket.on('error', cut).on('close', cut);
  });
  const settings = { bucket: 'flota', region: 'us-east-1', credentials };
  objects = createObjectStore({
    ...settings,
    endpoint: `http://127.0.0.1:${store.httpPort}`,
    publicUrl: `http://127.0.0.1:${await listen(way)}`,
  });
  const database = await openDatabase();
  webhook = await startTestWebhook(database, { objects });
  closers.push(
    () => webhook.close(),
    () => database.close(),
    () => objects.close(),
    () => store.close(),
  );
  env = { FLOTA_URL: `http://127.0.0.1:${webhook.copy.port}`, FLOTA_TOKEN: apiToken };
});
afterAll(async () => {
  for (const close of closers) await close();
  way.close();
  rmSync(dir, { recursive: true });
});
beforeEach(() => {
  passed = 0;
});

const upload = (version: string) =>
  startFlota(['firmware', 'upload', file, '--version', version, '--json'], { env });
/** Heads of requests, and what was on its way when it ended. */
const slack = 1024 ** 2;

test('killed in the middle and started again, it sends what the store lacks and nothing twice', async () => {
  const killed = upload('1.0.0');
  const half = new Promise<void>((resolve) => {
    at = { bytes: 1.5 * partBytes, act: () => resolve() };
  });
  await half;
  killed.child.kill('SIGKILL');
  expect((await killed.ended).status).toBe(null);
  expect(passed).toBeLessThan(1.5 * partBytes + slack);
  passed = 0;
  const done = await upload('1.0.0').ended;
  expect(done.status).toBe(0);
  expect(JSON.parse(done.out)).toMatchObject({ sha256: sha256Of(content), sizeBytes: content.length });
  expect(passed).toBeGreaterThanOrEqual(content.length - partBytes);
  expect(passed).toBeLessThan(content.length - partBytes + 100_000);
});

test('a connection that breaks costs the part that was on its way', async () => {
  at = { bytes: 1.5 * partBytes, act: (cut) => cut() };
  const done = await upload('1.0.1').ended;
  expect(done.status).toBe(0);
  expect(JSON.parse(done.out).sha256).toBe(sha256Of(content));
  expect(passed).toBeLessThan(content.length + 0.5 * partBytes + slack);
});
