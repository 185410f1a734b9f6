/** What those who run Flota rely on: metrics, docs, logs with request ids and without secrets, headers. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { createLog } from './log.ts';
import {
  apiToken,
  interruptible,
  type Json,
  openDatabase,
  startTestWebhook,
  type TestDatabase,
  type TestWebhook,
  webhookToken,
} from './testing.ts';

const admin = { email: 'admin@example.com', password: 'the-password-of-the-admin' };
let database: TestDatabase;
let webhook: TestWebhook;
let breakable: ReturnType<typeof interruptible>;
const lines: string[] = [];
beforeAll(async () => {
  database = await openDatabase();
  breakable = interruptible(database);
  const log = createLog('debug', (line) => lines.push(line));
  webhook = await startTestWebhook(breakable, { admin, log });
});
afterAll(async () => {
  await webhook?.close();
  await database?.close();
});

const scrape = async () => {
  const response = await fetch(`http://127.0.0.1:${webhook.copy.internalPort}/metrics`);
  return { type: response.headers.get('content-type'), text: await response.text() };
};
/** The value of a sample, or null; labels in the order in which they are written. */
const sampleOf = (text: string, sample: string) => {
  const line = text.split('\n').find((l) => l.startsWith(`${sample} `));
  return line === undefined ? null : Number(line.slice(sample.length + 1));
};

describe('/metrics', () => {
  test('tells of a CA in the same process too, and goes on without it', async () => {
    webhook.authority.metrics = async () => 'flota_ca_waiting 7\n';
    expect(sampleOf((await scrape()).text, 'flota_ca_waiting')).toBe(7);
    webhook.authority.metrics = () => Promise.reject(new Error('its directory is away'));
    const { text } = await scrape();
    expect([sampleOf(text, 'flota_ca_waiting'), sampleOf(text, 'flota_database_up')]).toEqual([null, 1]);
    delete webhook.authority.metrics;
  });

  test('tells of ingest, groups, outbox, dispatches, targets, dead letters and requests, in the text format', async () => {
    const device = await webhook.device();
    await device.connect();
    await device.subscribe();
    await webhook.deploy((await webhook.firmware()).id, device, await webhook.device());
    await until('the request', () => device.requests().length > 0);
    await device.send('log', { level: 'info' });
    await webhook.event('no event');
    const { type, text } = await scrape();
    expect(type).toBe('text/plain; version=0.0.4; charset=utf-8');
    for (const line of text.trimEnd().split('\n')) {
      expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? -?[\d.e+-]+)$/);
    }
    expect(sampleOf(text, 'flota_ingest_events_total{kind="connected",outcome="handled"}')).toBe(1);
    expect(sampleOf(text, 'flota_ingest_events_total{kind="reject",outcome="refused"}')).toBe(2);
    expect(sampleOf(text, 'flota_ingest_seconds_count')).toBe(4);
    expect(sampleOf(text, 'flota_ingest_seconds_bucket{le="+Inf"}')).toBe(4);
    expect(sampleOf(text, 'flota_ingest_group_events_sum')).toBe(4);
    expect(sampleOf(text, 'flota_ingest_waiting')).toBe(0);
    const dispatched = 'flota_published_total{topic="firmware/download/request",outcome="routed"}';
    expect(sampleOf(text, dispatched)).toBe(1);
    expect(sampleOf(text, 'flota_outbox_commands{state="waiting"}')).toBe(0);
    expect(sampleOf(text, 'flota_outbox_oldest_seconds')).toBe(0);
    expect(sampleOf(text, 'flota_targets{state="sent"}')).toBe(1);
    expect(sampleOf(text, 'flota_targets{state="pending"}')).toBe(1);
    expect(sampleOf(text, 'flota_dead_letters')).toBe(2);
    expect(sampleOf(text, 'flota_devices{online="true"}')).toBe(1);
    expect(sampleOf(text, 'flota_database_up')).toBe(1);
    const created = '{listener="public",method="POST",route="/api/devices",status="201"}';
    expect(sampleOf(text, `flota_http_requests_total${created}`)).toBe(2);
    // Series must not grow with what callers ask for.
    const unknown = `/api/devices/${randomUUID()}`;
    await webhook.api('GET', unknown);
    await webhook.api('GET', `/${randomUUID()}`);
    const later = (await scrape()).text;
    expect(later).not.toContain(unknown);
    expect(
      sampleOf(later, 'flota_http_requests_total{listener="public",method="GET",route="none",status="404"}'),
    ).toBe(1);
  });

  test('answers without a database too, and is not on the public port', async () => {
    breakable.away = true;
    const { text } = await scrape();
    breakable.away = false;
    expect(sampleOf(text, 'flota_database_up')).toBe(0);
    expect(text).not.toContain('flota_dead_letters');
    expect((await fetch(`${webhook.copy.url}/metrics`)).status).toBe(404);
  });
});

test('/api/docs shows every operation, and loads nothing from anywhere', async () => {
  const { paths } = (await webhook.api('GET', '/api/openapi.json', undefined, {})).body as Json;
  const { status, body, headers } = await webhook.api('GET', '/api/docs', undefined, {});
  expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=UTF-8']);
  for (const path of Object.keys(paths)) expect(body).toContain(`<code>${path}</code>`);
  expect(body).not.toMatch(/<script|src=|@import|url\(|(href|action)="?https?:\/\//);
  for (const [, target] of body.matchAll(/href="#(\w+)"/g)) expect(body).toContain(`id="${target}"`);
});

describe('logs', () => {
  const parsed = () => lines.map((line) => JSON.parse(line) as Json);

  test('are JSON lines, one a request, with the id that the answer bears, or that a proxy gave', async () => {
    const { headers } = await webhook.api('GET', '/api/regions?secret=x');
    const line = parsed().find((l) => l.requestId === headers.get('x-request-id'));
    expect(line).toMatchObject({
      level: 'info',
      method: 'GET',
      path: '/api/regions',
      status: 200,
      caller: 'api-token',
    });
    const requestId = `proxy-${randomUUID()}`;
    const given = await webhook.api('GET', '/api/me', undefined, { 'x-request-id': requestId });
    expect(given.headers.get('x-request-id')).toBe(requestId);
    expect(parsed().some((l) => l.requestId === requestId && l.status === 401)).toBe(true);
    const forged = await webhook.api('GET', '/api/me', undefined, { 'x-request-id': 'a"b c' });
    expect(forged.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('what goes wrong below a request bears its id too', async () => {
    breakable.away = true;
    const answer = await webhook.api('GET', '/api/regions');
    breakable.away = false;
    expect(answer.status).toBe(503);
    const found = parsed().filter((l) => l.requestId === answer.headers.get('x-request-id'));
    expect(found.map((l) => l.level).sort()).toEqual(['info', 'warn']);
  });

  test('hold no secret, also when the database refuses a statement that holds one', async () => {
    const login = await webhook.api('POST', '/api/login', admin);
    const session = login.headers.get('set-cookie')!.split(';')[0]!.split('=')[1]!;
    const wrong = 'a-wrong-password';
    await webhook.api('POST', '/api/login', { ...admin, password: wrong });
    const password = 'password-of-a-user';
    const email = `${randomUUID().slice(0, 8)}@example.com`;
    await webhook.api('POST', '/api/users', { email, password, role: 'viewer' });
    const { secret } = (await webhook.api('POST', '/api/tokens', { name: randomUUID(), role: 'viewer' }))
      .body;
    const grant = await webhook.api('POST', '/api/certificates/tokens', { commonName: 'dev-1' });
    const csr = 'CSR dev-1 secretpart';
    await webhook.api('POST', '/api/issue_cert', { csr }, { authorization: `Bearer ${grant.body.token}` });
    const stray = 'a-token-that-nobody-knows';
    await webhook.api('GET', '/api/me', undefined, { authorization: `Bearer ${stray}` });
    const upload = await webhook.api('POST', '/api/s3/presigned_upload', { version: '1', fileName: 'a.bin' });
    const before = lines.length;
    const marker = 'in-the-parameters';
    const { sql } = await import('drizzle-orm');
    const failure = await breakable.db.execute(sql`select ${marker}::int`).catch((error: unknown) => error);
    createLog('debug', (line) => lines.push(line))('error', 'a failed query', { error: failure });
    expect(lines.length).toBe(before + 1);
    expect(lines.at(-1)).toContain('Failed query');
    const all = lines.join('');
    const secrets = [
      admin.password,
      session,
      wrong,
      password,
      secret,
      grant.body.token,
      csr,
      stray,
      apiToken,
      webhookToken,
      new URL(upload.body.url).search,
      'scrypt$',
    ];
    for (const one of secrets) expect(all.includes(one), one).toBe(false);
    // The driver's own words may quote a value, never the list of parameters.
    expect(all).not.toMatch(/params:/);
  });
});
