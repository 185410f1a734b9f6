import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LocalAuthority, openAuthority } from './authority.ts';
import { connectAuthority } from './client.ts';
import { issueKeyPair, makeRequest } from './key-pair.ts';
import { type MetricsServer, startMetrics } from './metrics-server.ts';
import { type CaService, startService } from './server.ts';
import { openWorkspace, type Workspace } from './test-openssl.ts';

const day = 86_400_000;
let work: Workspace;
let authority: LocalAuthority;
let service: CaService;
let metrics: MetricsServer;
let now = Date.now();

beforeAll(async () => {
  work = await openWorkspace();
  authority = await openAuthority({ dir: join(work.dir, 'ca'), now: () => now });
  const host = '127.0.0.1';
  service = await startService({ authority, host, port: 0, names: [host], callers: ['webhook.flota'] });
  metrics = await startMetrics({ host, port: 0, write: service.metrics });
});
afterAll(async () => {
  await metrics.close();
  await service.close();
  await work.remove();
});

const ask = (path = '/metrics', method = 'GET') =>
  fetch(`http://127.0.0.1:${metrics.port}${path}`, { method });
/** Value of each series, by its name and labels as they are written. */
async function read(): Promise<Map<string, number>> {
  const lines = (await (await ask()).text()).trimEnd().split('\n');
  for (const line of lines) expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{[^}]+\})? -?[\d.e+-]+)$/);
  const samples = lines.filter((line) => !line.startsWith('#'));
  return new Map(
    samples.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]),
  );
}

it('tells certificates by profile and refusals by code, each once, and the time that it took', async () => {
  const pair = await issueKeyPair(authority, { profile: 'service', commonName: 'webhook.flota' });
  const trust = await authority.trust();
  const connect = (key: typeof pair) =>
    connectAuthority({
      url: `https://127.0.0.1:${service.port}`,
      key: key.key,
      cert: key.certificate + key.chain,
      ca: trust.root + trust.issuing,
    });
  const webhook = connect(pair);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const csr = makeRequest(privateKey, 'dev-1');
  await webhook.issue({ csr, profile: 'device', commonName: 'dev-1' });
  await expect(webhook.issue({ csr, profile: 'device', commonName: 'dev-2' })).rejects.toThrow();
  webhook.close();
  const stranger = connect(await issueKeyPair(authority, { profile: 'service', commonName: 'other.flota' }));
  await expect(stranger.trust()).rejects.toMatchObject({ code: 'not_allowed' });
  stranger.close();

  const told = await read();
  expect(told.get('flota_ca_issued_total{profile="device"}')).toBe(1);
  // The service's own, the webhook's and the stranger's.
  expect(told.get('flota_ca_issued_total{profile="service"}')).toBe(3);
  expect(told.get('flota_ca_refused_total{code="csr_name_mismatch"}')).toBe(1);
  expect(told.get('flota_ca_refused_total{code="not_allowed"}')).toBe(1);
  expect(told.get('flota_ca_issue_seconds_count')).toBe(4);
  expect(told.get('flota_ca_issue_seconds_bucket{le="+Inf"}')).toBe(4);
  expect(told.get('flota_ca_issue_seconds_sum')).toBeGreaterThan(0);
  expect(told.get('flota_ca_waiting')).toBe(0);
  expect(told.get('process_resident_memory_bytes')).toBeGreaterThan(10_000_000);
});

it('tells a stale CRL as it is, and makes none by being read; and when the issuing CA ends', async () => {
  const [crl] = await authority.crls();
  now += 3 * day;
  const told = await read();
  expect(told.get('flota_ca_crl_age_seconds{crl="crl.pem"}')).toBeCloseTo((3 * day) / 1000, -1);
  const ends = told.get('flota_ca_crl_next_update_seconds{crl="crl.pem"}')!;
  expect(ends).toBe(Math.round(Date.parse(crl!.nextUpdate) / 1000));
  expect((await read()).get('flota_ca_crl_next_update_seconds{crl="crl.pem"}')).toBe(ends);
  await authority.crls();
  expect((await read()).get('flota_ca_crl_age_seconds{crl="crl.pem"}')).toBe(0);

  const before = [...(await read())].filter(([name]) => name.startsWith('flota_ca_issuing_end_seconds'));
  expect(before).toEqual([['flota_ca_issuing_end_seconds{number="1"}', expect.any(Number)]]);
  now += day;
  await authority.rotate();
  const after = [...(await read())].filter(([name]) => name.startsWith('flota_ca_issuing_end_seconds'));
  // The one that signs now: that an older one ends is no news.
  expect(after).toEqual([['flota_ca_issuing_end_seconds{number="2"}', expect.any(Number)]]);
  expect(after[0]![1]).toBeGreaterThan(before[0]![1]);
});

it('has nothing else on that port', async () => {
  for (const [path, method, status] of [
    ['/issue', 'POST', 404],
    ['/trust', 'GET', 404],
    ['/metrics', 'GET', 200],
  ] as const) {
    const answer = await ask(path, method);
    expect([answer.status, answer.headers.get('x-content-type-options')]).toEqual([status, 'nosniff']);
  }
});
