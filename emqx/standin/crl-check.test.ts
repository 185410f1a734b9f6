import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { once, type Sink, startSink, startTestBed, type TestBed } from './test-broker.ts';
import type { TestPair } from './test-certificates.ts';

let publisher: Sink;
let bed: TestBed;
/** What the publisher answers; null: 404. */
let published: string | null = null;
let address: string;
beforeAll(async () => {
  publisher = await startSink();
  publisher.respond = (_request, response) =>
    published === null ? response.writeHead(404).end() : response.writeHead(200).end(published);
  address = `${publisher.url}/crl.pem`;
  bed = await startTestBed({}, { crl: { refreshMs: 50 } });
});
afterAll(async () => {
  await bed?.close();
  await publisher?.close();
});

async function isLetIn(pair: TestPair, maxVersion: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3'): Promise<boolean> {
  const client = bed.connect(pair, { maxVersion } as object);
  client.on('error', () => {});
  const outcome = await Promise.race([
    once(client, 'connect').then(() => true),
    once(client, 'close').then(() => false),
  ]);
  client.end(true);
  return outcome;
}

/** Whether a handshake, of somebody else, made it ask for the CRL again. */
async function isRefreshed(pair: TestPair): Promise<boolean> {
  const before = publisher.requests.length;
  await isLetIn(pair);
  return publisher.requests.length > before;
}

test('no certificate is let in while its CRL cannot be fetched or used, nor one that names none', async () => {
  const pair = await bed.ca.leaf('dev-1', undefined, address);
  expect(await isLetIn(pair)).toBe(false);
  const unsigned = (await bed.ca.crl([])).replace(/.{8}\n-----END/, 'AAAAAAAA\n-----END');
  for (const text of ['no PEM', unsigned, await bed.ca.crl([], Date.now() - 1_000)]) {
    published = text;
    expect(await isLetIn(pair), text).toBe(false);
  }
  published = await bed.ca.crl([]);
  await until('the next refresh', () => isLetIn(pair));
  expect(await isLetIn(await bed.ca.leaf('dev-1'))).toBe(false);
});

test('a revoked one stays out after the refresh under TLS 1.2 and 1.3, its connection goes on, and others come in', async () => {
  published = await bed.ca.crl([]);
  const [pair, other, third] = await Promise.all([
    bed.ca.leaf('dev-2', undefined, address),
    bed.ca.leaf('dev-2', undefined, address),
    bed.ca.leaf('dev-3', undefined, address),
  ]);
  await until('the good CRL', () => isLetIn(pair));
  const client = await bed.online(pair);
  published = await bed.ca.crl([pair.serial]);
  await until('a refresh', () => isRefreshed(third));
  expect(client.connected).toBe(true);
  expect([await isLetIn(pair, 'TLSv1.2'), await isLetIn(pair, 'TLSv1.3')]).toEqual([false, false]);
  published = null;
  await until('a refresh in vain', () => isRefreshed(third));
  expect([await isLetIn(pair), await isLetIn(other)]).toEqual([false, true]);
});
