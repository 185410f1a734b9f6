import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LocalAuthority, openAuthority } from './authority.ts';
import { CaError } from './client.ts';
import { readRequest } from './csr.ts';
import { decodePem, encodePem } from './pem.ts';
import { validateProfiles } from './profiles.ts';
import { openWorkspace, type Workspace } from './test-openssl.ts';

const keys = validateProfiles().device.keys;
let work: Workspace;
let authority: LocalAuthority;

beforeAll(async () => {
  work = await openWorkspace();
  authority = await openAuthority({ dir: join(work.dir, 'ca') });
});
afterAll(() => work.remove());

/** A CSR as OpenSSL makes it. */
function request(newkey: string[], ...more: string[]): string {
  const args = [
    'req',
    '-new',
    '-newkey',
    ...newkey,
    '-nodes',
    '-keyout',
    '/dev/null',
    '-subj',
    '/CN=dev-1',
    ...more,
  ];
  return execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}
const p256 = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];

async function codeOf(pem: string): Promise<string> {
  try {
    await readRequest(pem, keys);
    return 'accepted';
  } catch (error) {
    if (error instanceof CaError) return error.code;
    throw error;
  }
}

describe('a CSR', () => {
  it.each([
    ['P-256', p256],
    ['P-384', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384']],
    ['RSA 2048', ['rsa:2048']],
  ])('with a key of %s is accepted', async (_, newkey) => {
    expect((await readRequest(request(newkey), keys)).commonName).toBe('dev-1');
  });

  it('signed with SHA-384, with a challenge password or more parts in its subject is accepted', async () => {
    expect(await codeOf(request(p256, '-sha384'))).toBe('accepted');
    expect(await codeOf(request(p256, '-subj', '/O=x/CN=dev-1/serialNumber=0A'))).toBe('accepted');
  });

  it.each([
    ['RSA 1024', ['rsa:1024'], 'csr_key_refused'],
    ['RSA 4608', ['rsa:4608', '-pkeyopt', 'rsa_keygen_primes:4'], 'csr_key_refused'],
    ['RSA with exponent 3', ['rsa:2048', '-pkeyopt', 'rsa_keygen_pubexp:3'], 'csr_key_refused'],
    ['P-521', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-521'], 'csr_key_refused'],
    ['secp256k1', ['ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1'], 'csr_key_refused'],
    ['explicit curve parameters', [...p256, '-pkeyopt', 'ec_param_enc:explicit'], 'csr_key_refused'],
    ['Ed25519', ['ed25519'], 'csr_key_refused'],
  ])('with a key of %s is refused', async (_, newkey, code) => {
    expect(await codeOf(request(newkey))).toBe(code);
  });

  it.each([
    ['basicConstraints=CA:TRUE', 'csr_extension_refused'],
    ['basicConstraints=CA:FALSE', 'accepted'],
    ['keyUsage=keyCertSign', 'csr_extension_refused'],
    ['keyUsage=digitalSignature,cRLSign', 'csr_extension_refused'],
    ['keyUsage=digitalSignature', 'accepted'],
    ['nameConstraints=permitted;DNS:x', 'csr_extension_refused'],
    ['1.2.3.4=critical,DER:0500', 'csr_extension_refused'],
    ['subjectAltName=email:a@b.example', 'csr_name_refused'],
    ['subjectAltName=URI:http://x', 'csr_name_refused'],
    ['subjectAltName=DNS:*.example', 'csr_name_refused'],
    ['subjectAltName=DNS:10.0.0.1', 'csr_name_refused'],
    ['subjectAltName=IP:10.0.0.1', 'accepted'],
  ])('that asks for %s is %s', async (extension, code) => {
    expect(await codeOf(request(p256, '-addext', extension))).toBe(code);
  });

  it('that asks for a purpose that its profile does not have is refused', async () => {
    const csr = request(p256, '-addext', 'extendedKeyUsage=serverAuth');
    const attempt = authority.issue({ csr, profile: 'device', commonName: 'dev-1' });
    await expect(attempt).rejects.toMatchObject({ code: 'csr_extension_refused' });
  });

  it("for somebody else's name, without one or with two, is refused", async () => {
    const attempt = (subject: string) =>
      authority.issue({ csr: request(p256, '-subj', subject), profile: 'device', commonName: 'dev-1' });
    for (const subject of [
      '/CN=dev-2',
      '/CN=dev-1 ',
      '/CN=DEV-1',
      '/O=dev-1',
      '/CN=dev-1/CN=dev-2',
      '/CN=dev-1+CN=x',
    ]) {
      await expect(attempt(subject), subject).rejects.toMatchObject({ code: 'csr_name_mismatch' });
    }
  });

  it('whose signature is not by its key is refused', async () => {
    const [one, other] = [request(p256), request(p256)].map((pem) => decodePem(pem, ['CERTIFICATE REQUEST']));
    const mixed = Buffer.from(one!);
    // The last 60 bytes lie within the signature value.
    mixed.set(other!.subarray(-60), mixed.length - 60);
    expect(['csr_signature_invalid', 'csr_malformed']).toContain(
      await codeOf(encodePem('CERTIFICATE REQUEST', mixed)),
    );
  });

  it('must be one PEM block and nothing else', async () => {
    const good = request(p256);
    expect(await codeOf(`\n${good}\n`)).toBe('accepted');
    expect(await codeOf(good.replaceAll('\n', '\r\n'))).toBe('accepted');
    expect(await codeOf(good.replaceAll('CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST'))).toBe('accepted');
    for (const bad of [
      '',
      'hello',
      good + good,
      `x${good}`,
      good.replaceAll('CERTIFICATE REQUEST', 'CERTIFICATE'),
      good.replace('-----END CERTIFICATE REQUEST', '-----END CERTIFICATE'),
      good.replace(/\n(.)/, '\n*$1'),
      good.replace(/-----END[\s\S]*/, ''),
      encodePem('CERTIFICATE REQUEST', new Uint8Array()),
      encodePem(
        'CERTIFICATE REQUEST',
        Buffer.concat([decodePem(good, ['CERTIFICATE REQUEST']), Buffer.of(0)]),
      ),
    ]) {
      expect(await codeOf(bad)).toBe('csr_malformed');
    }
  });

  it('of any size or nesting is answered at once', async () => {
    expect(await codeOf('A'.repeat(10_000_000))).toBe('csr_too_large');
    expect(await codeOf(encodePem('CERTIFICATE REQUEST', Buffer.alloc(8_500, 0x30)))).toBe('csr_too_large');
    let nested = Buffer.alloc(0);
    for (let depth = 0; depth < 3_000; depth += 1) {
      const { length } = nested;
      const header =
        length < 128
          ? [0x30, length]
          : length < 256
            ? [0x30, 0x81, length]
            : [0x30, 0x82, length >> 8, length & 255];
      if (length + header.length > 8_000) break;
      nested = Buffer.concat([Buffer.from(header), nested]);
    }
    expect(await codeOf(encodePem('CERTIFICATE REQUEST', nested))).toBe('csr_malformed');
    const indefinite = Buffer.from('30800000', 'hex');
    expect(await codeOf(encodePem('CERTIFICATE REQUEST', indefinite))).toBe('csr_malformed');
  });
});
