/** nginx with the very proxy file of compose.yaml, in front of two copies of the webhook as `npm run build` makes it. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { issueKeyPair } from '#ca/key-pair.ts';
import { connect } from '#webhook/db/connect.ts';
import { query } from '#webhook/db/query.ts';
import { buildPrograms } from '../image/build.ts';
import { unwrap } from '../local/rest.ts';
import { until } from '../local/testing.ts';
import { type LightDevice, startLightDevice } from '../outage/light-device.ts';
import { type System, startSystem } from '../soak/system.ts';

let dir: string;
let system: System;
let devices: LightDevice[];
let database: Awaited<ReturnType<typeof connect>>;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'flota-proxy-'));
  const built = join(dir, 'dist');
  await buildPrograms(built, ['webhook/main', 'ca/main']);
  system = await startSystem(dir, {
    webhook: [join(built, 'webhook/main.js')],
    ca: [join(built, 'ca/main.js')],
  });
  database = await connect({ url: system.postgresql.url });
  const timing = { resendMinMs: 1_000, resendMaxMs: 3_000, reconnectMinMs: 100, reconnectMaxMs: 1_000 };
  devices = await Promise.all(
    ['edge-1', 'edge-2', 'edge-3'].map(async (id) => {
      await unwrap(system.rest.api.devices.$post({ json: { id, hardware: 'esp32-s3' } }));
      const pair = await issueKeyPair(system.authority, { profile: 'device', commonName: id });
      return startLightDevice({ id, pair, mqttUrl: system.mqttUrl, trust: system.trust, timing });
    }),
  );
  await until(
    () => devices.filter((d) => d.online()).length,
    (n) => n === 3,
  );
}, 120_000);
afterAll(async () => {
  await Promise.all(devices?.map((device) => device.close()) ?? []);
  await database?.close();
  await system?.close();
  rmSync(dir, { recursive: true, force: true });
}, 60_000);

/** As EMQX's rule for log messages posts it. */
async function post(): Promise<{ status: number; ms: number }> {
  const start = performance.now();
  const response = await fetch(`${system.eventsUrl}/emqx/events`, {
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
    expect((await fetch(`${system.eventsUrl}/metrics`)).status).toBe(404);
    expect(await statuses(20)).toEqual([204]);
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
    for (const device of devices) for (let i = 0; i < 10; i++) device.report();
    await system.copies[0]!.stop();
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
  }, 60_000);

  it('answers 503, never 502 or 504, while no copy is there, and what was sent meanwhile arrives afterwards', async () => {
    await Promise.all(system.copies.map((copy) => copy.stop()));
    for (const device of devices) device.report();
    for (let i = 0; i < 5; i++) expect(await statuses(5)).toEqual([503]);
    await system.copies[1]!.start();
    await until(post, ({ status }) => status === 204);
    await everythingStored();
  }, 60_000);

  it('gives up a copy that hangs before EMQX does, with 503', async () => {
    for (const copy of system.copies) if (copy.running()) process.kill(copy.pid()!, 'SIGSTOP');
    try {
      const { status, ms } = await post();
      expect(status).toBe(503);
      expect(ms).toBeLessThan(20_000);
    } finally {
      for (const copy of system.copies) if (copy.running()) process.kill(copy.pid()!, 'SIGCONT');
    }
    await until(post, ({ status }) => status === 204);
  }, 60_000);

  it('serves the store to devices under our CA, and takes nothing from them; signatures survive it', async () => {
    const [version, fileName] = ['1.0.0', 'proxied.bin'];
    const upload = await unwrap(system.rest.api.s3.presigned_upload.$post({ json: { version, fileName } }));
    const put = await fetch(upload.url, { method: 'PUT', headers: upload.headers, body: 'image' });
    expect(put.status).toBe(200);
    await unwrap(
      system.rest.api.firmwares.metadata.$post({
        json: { version, fileName, s3Path: upload.s3Path, releaseNote: '', hardware: 'esp32-s3' },
      }),
    );
    const { url } = await unwrap(
      system.rest.api.s3.presigned_download.$get({ query: { version, fileName } }),
    );
    expect(await (await fetch(url, { headers: { range: 'bytes=1-3' } })).text()).toBe('mag');
    const device = new URL(upload.url);
    const deviceUrl = `https://localhost:${system.deviceStorePort}${device.pathname}`;
    const asked = (method: string) =>
      new Promise<number>((resolve, reject) => {
        const agent = new Agent({ ca: system.trust });
        get(deviceUrl, { method, agent }, (response) => resolve(response.resume().statusCode!)).on(
          'error',
          reject,
        );
      });
    // Unsigned: the store's own refusal; and the proxy's for what writes.
    expect(await asked('GET')).toBe(403);
    expect(await asked('PUT')).toBe(403);
    expect(await asked('DELETE')).toBe(403);
  }, 30_000);
});

async function everythingStored(): Promise<void> {
  await until(
    () => devices.reduce((sum, device) => sum + device.waiting(), 0),
    (waiting) => waiting === 0,
    40_000,
  );
  const rows = await query<{ device: string; id: string; digest: string }>(
    database.db,
    sql`select device_id as device, message_id as id, digest from received_messages where device_id like 'edge-%'`,
  );
  const line = (device: string, id: string, digest: string) => `${device} ${id} ${digest}`;
  const sent = devices.flatMap((d) => d.reports.map((r) => line(d.id, r.id, r.digest)));
  expect(rows.map((r) => line(r.device, r.id, r.digest)).sort()).toEqual(sent.sort());
}
