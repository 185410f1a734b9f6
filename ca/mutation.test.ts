import { execFileSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, type KeyObject, sign, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import * as pkijs from 'pkijs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LocalAuthority, openAuthority } from './authority.ts';
import { ecdsaWithSha256 } from './certificate.ts';
import { CaError } from './client.ts';
import { makeRequest } from './key-pair.ts';
import { decodePem, encodePem } from './pem.ts';
import { element, mutate, random, randomDer } from './test-mutations.ts';
import { openWorkspace, type Workspace } from './test-openssl.ts';

/** The long run is for `npm run test:full`. */
const rounds = process.env.FLOTA_TEST_FULL ? 10_000 : 1_000;
const label = 'CERTIFICATE REQUEST';
const names = ['host.example', '10.0.0.1'];
const algorithm = Buffer.from(ecdsaWithSha256().toSchema().toBER());

let work: Workspace;
let authority: LocalAuthority;
let key: KeyObject;
let seeds: { der: Uint8Array<ArrayBuffer>; commonName: string; profile: 'device' | 'service' }[];

beforeAll(async () => {
  work = await openWorkspace();
  authority = await openAuthority({ dir: join(work.dir, 'ca') });
  key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const openssl = (newkey: string[], ...more: string[]) => {
    const args = ['req', '-new', '-newkey', ...newkey, '-nodes', '-keyout', '/dev/null', ...more];
    return execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  };
  const p384 = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384'];
  seeds = [
    { pem: makeRequest(key, 'dev-1'), profile: 'device' as const },
    { pem: makeRequest(key, 'a.b', names), profile: 'service' as const },
    {
      pem: openssl(['rsa:2048'], '-subj', '/CN=a.b', '-addext', 'keyUsage=digitalSignature'),
      profile: 'service' as const,
    },
    { pem: openssl(p384, '-subj', '/O=x/CN=dev-1/serialNumber=0A'), profile: 'device' as const },
  ].map(({ pem, profile }) => ({ der: decodePem(pem, [label]), commonName: nameOf(profile), profile }));
});
afterAll(() => work.remove());

const nameOf = (profile: 'device' | 'service') => (profile === 'service' ? 'a.b' : 'dev-1');

/** `signed`, a code, or what else came out of it. */
async function attempt(der: Uint8Array, profile: 'device' | 'service'): Promise<string> {
  const allowed = profile === 'service' ? { names } : {};
  const request = { csr: encodePem(label, der), profile, commonName: nameOf(profile), ...allowed };
  return authority.issue(request).then(
    () => 'signed',
    (error) => (error instanceof CaError ? error.code : `crashed: ${error}`),
  );
}

function tally(outcomes: string[]): string[] {
  return [...new Set(outcomes)].sort();
}

describe(`${rounds} mutations`, { timeout: 300_000 }, () => {
  it('of CSRs are each refused with a code, and none is signed', async () => {
    const pick = random(20_260_101);
    const outcomes: string[] = [];
    let slowestMs = 0;
    for (let round = 0; round < rounds; round += 1) {
      const seed = seeds[round % seeds.length]!;
      const mutated = mutate(seed.der, pick);
      if (mutated.equals(seed.der)) continue;
      const started = performance.now();
      outcomes.push(await attempt(mutated, seed.profile));
      slowestMs = Math.max(slowestMs, performance.now() - started);
    }
    expect(outcomes.length).toBeGreaterThan(rounds * 0.95);
    const seen = tally(outcomes);
    expect(seen.filter((code) => !code.startsWith('csr_'))).toEqual([]);
    expect(seen).toEqual(
      expect.arrayContaining(['csr_key_refused', 'csr_malformed', 'csr_signature_invalid']),
    );
    // None hangs: the slowest is one signature check on a busy machine.
    expect(slowestMs).toBeLessThan(10_000);
  });

  it('that their sender has signed again are refused with a code, or change nothing in the certificate', async () => {
    const pick = random(20_260_102);
    const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
    const outcomes: string[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const { der, profile } = seeds[round % 2]!;
      const mutated = mutate(pkijs.CertificationRequest.fromBER(der).tbsView, pick);
      const signature = element(0x03, Buffer.of(0), sign('sha256', mutated, key));
      const again = element(0x30, mutated, algorithm, signature);
      const allowed = profile === 'service' ? { names } : {};
      const request = { csr: encodePem(label, again), profile, commonName: nameOf(profile), ...allowed };
      const outcome = await authority.issue(request).catch((error: unknown) => error);
      if (!(outcome instanceof Error)) {
        const leaf = new X509Certificate((outcome as { certificate: string }).certificate);
        expect(leaf.subject.split('\n')[0]).toBe(`CN=${nameOf(profile)}`);
        expect(leaf.publicKey.export({ type: 'spki', format: 'der' })).toEqual(spki);
        expect(leaf.ca).toBe(false);
        const alternative = leaf.subjectAltName?.split(', ') ?? [];
        const granted = ['DNS:host.example', 'IP Address:10.0.0.1'];
        expect(alternative.filter((name) => !granted.includes(name))).toEqual([]);
      }
      outcomes.push(
        outcome instanceof CaError
          ? outcome.code
          : outcome instanceof Error
            ? `crashed: ${outcome}`
            : 'signed',
      );
    }
    const seen = tally(outcomes);
    expect(seen.filter((code) => !code.startsWith('csr_') && code !== 'signed')).toEqual([]);
    expect(seen).toEqual(
      expect.arrayContaining([
        'csr_extension_refused',
        'csr_malformed',
        'csr_name_mismatch',
        'csr_key_refused',
      ]),
    );
  });

  it('of DER blobs, random ones and certificates among them, are each refused with a code', async () => {
    const pick = random(20_260_103);
    const { root } = await authority.trust();
    const certificate = decodePem(root, ['CERTIFICATE']);
    const outcomes: string[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const blob = round % 4 === 0 ? mutate(certificate, pick) : randomDer(pick);
      outcomes.push(
        await attempt(round % 2 === 0 ? blob : mutate(Buffer.concat([blob, Buffer.of(0)]), pick), 'device'),
      );
    }
    expect(tally(outcomes).filter((code) => !['csr_malformed', 'csr_key_refused'].includes(code))).toEqual(
      [],
    );
  });
});
