import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAuthority } from './authority.ts';
import { ecdsaWithSha256 } from './certificate.ts';
import { type AuthorityConnection, connectAuthority, type IssuedCertificate } from './client.ts';
import { issueKeyPair } from './key-pair.ts';
import { encodePem } from './pem.ts';
import { type CaService, startService } from './server.ts';
import { element } from './test-mutations.ts';
import { openWorkspace, type Workspace } from './test-openssl.ts';

/** The whole storm is for `npm run test:full`. */
const devices = process.env.FLOTA_TEST_FULL ? 10_000 : 800;

let work: Workspace;
let service: CaService;
let callers: AuthorityConnection[];

beforeAll(async () => {
  work = await openWorkspace();
  const authority = await openAuthority({ dir: join(work.dir, 'ca') });
  service = await startService({
    authority,
    host: '127.0.0.1',
    port: 0,
    names: ['127.0.0.1'],
    callers: ['webhook.flota', 'factory.flota'],
    queue: { concurrency: 16, maxWaiting: 20_000, maxWaitingPerLane: 64, maxWaitingBytes: 32 * 1024 * 1024 },
  });
  const { root, issuing } = await authority.trust();
  callers = await Promise.all(
    ['webhook.flota', 'factory.flota'].map(async (commonName) => {
      const pair = await issueKeyPair(authority, { profile: 'service', commonName });
      const cert = pair.certificate + pair.chain;
      const url = `https://127.0.0.1:${service.port}`;
      return connectAuthority({
        url,
        key: pair.key,
        cert,
        ca: root + issuing,
        timeoutMs: 300_000,
        maxConnections: 128,
      });
    }),
  );
});
afterAll(async () => {
  for (const caller of callers) caller.close();
  await service.close();
  await work.remove();
});

/** By hand: ten thousand of them through pkijs would take longer than the storm. */
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
const algorithm = Buffer.from(ecdsaWithSha256().toSchema().toBER());
const commonNameType = Buffer.from('0603550403', 'hex');
function request(commonName: string): string {
  const name = element(0x30, commonNameType, element(0x0c, Buffer.from(commonName)));
  const body = element(
    0x30,
    Buffer.from('020100', 'hex'),
    element(0x30, element(0x31, name)),
    spki,
    element(0xa0),
  );
  const signature = element(0x03, Buffer.of(0), sign('sha256', body, privateKey));
  return encodePem('CERTIFICATE REQUEST', element(0x30, body, algorithm, signature));
}

const ask = (caller: AuthorityConnection, commonName: string) =>
  caller.issue({ csr: request(commonName), profile: 'device', commonName });

describe(`a renewal storm of ${devices} devices`, () => {
  it('is answered whole, each with its own certificate, and another caller does not wait for its end', async () => {
    const [webhook, factory] = callers as [AuthorityConnection, AuthorityConnection];
    let answered = 0;
    const storm = Array.from({ length: devices }, async (_, index) => {
      const issued = await ask(webhook, `dev-${index}`);
      answered += 1;
      return issued;
    });
    await expect.poll(() => answered, { interval: 5 }).toBeGreaterThan(10);
    const before = answered;
    await Promise.all(Array.from({ length: 5 }, (_, index) => ask(factory, `new-${index}`)));
    // Five of the factory's among the webhook's 128 connections: far from the end of the storm.
    expect(answered - before).toBeLessThan(devices / 2);
    const all: IssuedCertificate[] = await Promise.all(storm);
    expect(new Set(all.map(({ serial }) => serial)).size).toBe(devices);
    expect(all.every(({ commonName }, index) => commonName === `dev-${index}`)).toBe(true);
  }, 300_000);

  it('of a single device does not keep the others waiting', async () => {
    const [webhook] = callers as [AuthorityConnection];
    const flood = Array.from({ length: 400 }, () =>
      ask(webhook, 'loud').then(
        () => 'answered',
        (error) => error.code,
      ),
    );
    const others = Array.from({ length: 20 }, (_, index) => ask(webhook, `quiet-${index}`));
    expect((await Promise.all(others)).length).toBe(20);
    const outcomes = new Set(await Promise.all(flood));
    expect([...outcomes].filter((outcome) => !['answered', 'overloaded'].includes(outcome))).toEqual([]);
    expect(outcomes).toContain('answered');
  });
});
