/** nginx with the very proxy file of compose.yaml, in front of two copies of the webhook as `npm run build` makes it. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '#webhook/db/connect.ts';
import { buildPrograms } from '../image/build.ts';
import { hang } from '../lab/faults.ts';
import { type Fleet, hardware, startFleet } from '../lab/fleet/devices.ts';
import { openTalk, type Talk } from '../lab/outage/talk.ts';
import { type Cluster, createCluster } from '../lab/primitives/postgresql.ts';
import { until } from '../lab/primitives/until.ts';
import { registerFirmware, unwrap } from '../lab/rest.ts';
import { defaultOptions } from '../lab/system/options.ts';
import { type System, startSystem } from '../lab/system/system.ts';

let dir: string;
let cluster: Cluster;
let system: System;
let fleet: Fleet;
let talk: Talk;
let database: Awaited<ReturnType<typeof connect>>;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'flota-proxy-'));
  const built = join(dir, 'dist');
  await buildPrograms(built, ['webhook/main', 'ca/main']);
  cluster = await createCluster();
  system = await startSystem({
    ...defaultOptions,
    dataDir: dir,
    databaseUrl: cluster.url,
    apart: ['ca', 'store', 'broker', 'webhook'],
    copies: 2,
    programs: { webhook: [join(built, 'webhook/main.js')], ca: [join(built, 'ca/main.js')] },
  });
  const timing = { resendMinMs: 1_000, resendMaxMs: 3_000, reconnectMinMs: 100, reconnectMaxMs: 1_000 };
  const ids = ['edge-1', 'edge-2', 'edge-3'];
  fleet = await startFleet(system, dir, ids.length, { ids, timing, fsync: false });
  database = await connect({ url: cluster.url });
  talk = openTalk(system, fleet, database);
  await until('three devices online', () => fleet.devices.every((device) => device.online));
  await talk.prepare(20);
}, 120_000);
afterAll(async () => {
  talk?.close();
  await fleet?.close();
  await database?.close();
  await system?.close();
  await cluster?.remove();
  rmSync(dir, { recursive: true, force: true });
});

/** As EMQX's rule for log messages posts it. */
async function post(): Promise<{ status: number; ms: number }> {
  const start = performance.now();
  const response = await fetch(`${system.internalUrl}/emqx/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${system.webhookToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      event: 'message',
      clientid: 'edge-1',
      topic: 'devices/edge-1/log',
      payload: JSON.stringify({ id: randomUUID(), at: null, level: 'info', message: 'hello' }),
      cert: 'SERIALNUMBER=00,CN=edge-1',
      received_at: Date.now(),
    }),
  });
  await response.arrayBuffer();
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  return { status: response.status, ms: performance.now() - start };
}
const statuses = async (count: number) => {
  const answers = await Promise.all(Array.from({ length: count }, post));
  return [...new Set(answers.map((answer) => answer.status))].sort();
};

describe('the proxy file of compose', () => {
  it('lets console, API and the bundled copies through, and a copy sees who calls', async () => {
    expect((await fetch(`${system.url}/healthz`)).status).toBe(200);
    expect((await fetch(`${system.url}/readyz`)).status).toBe(200);
    expect((await fetch(`${system.url}/proxy/healthz`)).status).toBe(204);
    expect((await fetch(`${system.internalUrl}/metrics`)).status).toBe(404);
    expect(await statuses(20)).toEqual([204]);
    // Packed by the proxy; a stream of events is not, or each would wait for the next.
    const document = await fetch(`${system.url}/api/openapi.json`);
    expect([document.headers.get('content-encoding'), document.headers.get('vary')]).toEqual([
      'gzip',
      'Accept-Encoding',
    ]);
    expect(((await document.json()) as { openapi: string }).openapi).toBe('3.1.0');
    const abort = new AbortController();
    const live = await fetch(`${system.url}/api/live`, {
      headers: { authorization: `Bearer ${system.apiToken}` },
      signal: abort.signal,
    });
    expect([live.status, live.headers.get('content-encoding')]).toEqual([200, null]);
    abort.abort();
    // Once, whoever answers: a copy, the store, or nginx itself.
    for (const [url, status] of [
      [`${system.url}/healthz`, 200],
      [`${system.url}/proxy/healthz`, 204],
      [`${system.internalUrl}/metrics`, 404],
      [system.storeUrl!, 403],
    ] as const) {
      const answer = await fetch(url);
      expect([url, answer.status, answer.headers.get('x-content-type-options')]).toEqual([
        url,
        status,
        'nosniff',
      ]);
    }
  });

  it('hands what a killed copy had to the other one: the broker sees no fault and nothing is lost', async () => {
    const answers: number[] = [];
    let posting = true;
    const load = Promise.all(
      Array.from({ length: 8 }, async () => {
        while (posting) answers.push((await post()).status);
      }),
    );
    await until(
      () => answers.length,
      (n) => n > 50,
    );
    for (let i = 0; i < 10; i++) await talk.ask();
    await system.copies[0]!.kill();
    const killedAt = answers.length;
    await until(
      () => answers.length,
      (n) => n > killedAt + 200,
    );
    posting = false;
    await load;
    expect([...new Set(answers)]).toEqual([204]);
    await everythingStored();
    await system.copies[0]!.start();
  });

  it('answers 503, never 502 or 504, while no copy is there, and what was sent meanwhile arrives afterwards', async () => {
    await Promise.all(system.copies.map((copy) => copy.kill()));
    await talk.ask();
    for (let i = 0; i < 5; i++) expect(await statuses(5)).toEqual([503]);
    await system.copies[1]!.start();
    await until(post, ({ status }) => status === 204);
    await everythingStored();
  });

  it('gives up a copy that hangs before EMQX does, with 503', async () => {
    const fault = hang(...system.copies.filter((copy) => copy.running()));
    await fault.strike();
    try {
      const { status, ms } = await post();
      expect(status).toBe(503);
      expect(ms).toBeLessThan(20_000);
    } finally {
      await fault.heal();
    }
    await until(post, ({ status }) => status === 204);
  });

  it('serves the store to devices under our CA, and takes nothing from them; signatures survive it', async () => {
    const [version, fileName] = ['1.0.0', 'proxied.bin'];
    await registerFirmware(system.rest, Buffer.from('image'), { version, fileName, hardware });
    const { url } = await unwrap(
      system.rest.api.s3.presigned_download.$get({ query: { version, fileName } }),
    );
    expect(await (await fetch(url, { headers: { range: 'bytes=1-3' } })).text()).toBe('mag');
    const deviceUrl = new URL(new URL(url).pathname, system.deviceStoreUrl);
    const asked = (method: string) =>
      new Promise<[number | undefined, unknown]>((resolve, reject) => {
        const agent = new Agent({ ca: system.trust });
        get(deviceUrl, { method, agent }, (response) =>
          resolve([response.resume().statusCode, response.headers['x-content-type-options']]),
        ).on('error', reject);
      });
    // Unsigned: the store's own refusal; and the proxy's for what writes.
    for (const method of ['GET', 'PUT', 'DELETE'])
      expect([method, ...(await asked(method))]).toEqual([method, 403, 'nosniff']);
  });
});

async function everythingStored(): Promise<void> {
  const waiting = () => fleet.devices.reduce((sum, device) => sum + device.snapshot().outboxMessages, 0);
  await until(waiting, (count) => count === 0);
  const open = async () => talk.taken() - (await talk.stored());
  await until(open, (count) => count === 0);
  expect(talk.taken()).toBeGreaterThan(0);
}
