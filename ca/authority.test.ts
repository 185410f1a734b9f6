import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LocalAuthority, openAuthority } from './authority.ts';
import { issueKeyPair, makeRequest } from './key-pair.ts';
import { openWorkspace, type Workspace } from './test-openssl.ts';

const day = 86_400_000;
let work: Workspace;
let authority: LocalAuthority;
let now = Date.now();

beforeAll(async () => {
  work = await openWorkspace();
  authority = await openAuthority({ dir: join(work.dir, 'ca'), now: () => now });
  const { root, issuing } = await authority.trust();
  await work.file('root.pem', root);
  await work.file('issuing.pem', issuing);
});
afterAll(() => work.remove());

const csrFor = (name: string, names?: string[]) =>
  makeRequest(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, name, names);

async function text(pem: string): Promise<string> {
  const file = await work.file('shown.pem', pem);
  return (await work.openssl('x509', '-in', file, '-noout', '-text')).output;
}

describe('the hierarchy', () => {
  it('is a root that signs one issuing CA, which signs leaves only', async () => {
    const { root, issuing } = await authority.trust();
    const shownRoot = await text(root);
    const shownIssuing = await text(issuing);
    expect(shownRoot).toContain('CA:TRUE, pathlen:1');
    expect(shownIssuing).toContain('CA:TRUE, pathlen:0');
    for (const shown of [shownRoot, shownIssuing]) {
      expect(shown).toMatch(/Basic Constraints: critical/);
      expect(shown).toMatch(/Key Usage: critical\n\s+.*Certificate Sign, CRL Sign/);
      expect(shown).toContain('ecdsa-with-SHA256');
      expect(shown).toContain('NIST CURVE: P-256');
    }
    const lifetime = Date.parse(new X509Certificate(root).validTo) - Date.now();
    expect(lifetime).toBeGreaterThan(10 * 365 * day);
    expect(
      (await work.openssl('verify', '-x509_strict', '-CAfile', 'root.pem', 'issuing.pem')).output,
    ).toContain('OK');
  });

  it('is opened again, not made again', async () => {
    const again = await openAuthority({ dir: join(work.dir, 'ca') });
    expect(await again.trust()).toEqual(await authority.trust());
  });

  it('is made once when two open it at the same time', async () => {
    const dir = join(work.dir, 'race');
    const opened = await Promise.all([1, 2, 3].map(() => openAuthority({ dir })));
    const trusts = await Promise.all(opened.map((one) => one.trust()));
    expect(new Set(trusts.map((trust) => trust.root)).size).toBe(1);
    expect(await readdir(dir)).toEqual(['hierarchy']);
  });

  it('keeps its keys from others, and encrypted when there is a passphrase', async () => {
    const dir = join(work.dir, 'sealed');
    await openAuthority({ dir, passphrase: 'correct horse' });
    for (const file of ['root.key', 'issuing.key']) {
      const path = join(dir, 'hierarchy', file);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      expect(await readFile(path, 'utf8')).toContain('BEGIN ENCRYPTED PRIVATE KEY');
      const read = await work.openssl('pkey', '-in', path, '-passin', 'pass:correct horse', '-noout');
      expect(read.status).toBe(0);
    }
    await expect(openAuthority({ dir, passphrase: 'wrong' })).rejects.toMatchObject({
      code: 'passphrase_wrong',
    });
    await expect(openAuthority({ dir })).rejects.toMatchObject({ code: 'passphrase_wrong' });
    const opened = await openAuthority({ dir, passphrase: 'correct horse' });
    await issueKeyPair(opened, { profile: 'device', commonName: 'dev-1' });
  });

  it("works without the root's key, which may be kept elsewhere", async () => {
    const dir = join(work.dir, 'offline');
    await openAuthority({ dir });
    await rm(join(dir, 'hierarchy/root.key'));
    await issueKeyPair(await openAuthority({ dir }), { profile: 'device', commonName: 'dev-1' });
  });

  it('is not used when its files do not fit together', async () => {
    const one = join(work.dir, 'one');
    const other = join(work.dir, 'other');
    await Promise.all([openAuthority({ dir: one }), openAuthority({ dir: other })]);
    await writeFile(join(one, 'hierarchy/issuing.key'), await readFile(join(other, 'hierarchy/issuing.key')));
    await expect(openAuthority({ dir: one })).rejects.toMatchObject({ code: 'hierarchy_damaged' });
  });
});

describe('a device certificate', () => {
  it('says what its profile says, and OpenSSL accepts it', async () => {
    const issued = await authority.issue({ csr: csrFor('dev-1'), profile: 'device', commonName: 'dev-1' });
    await work.file('device.pem', issued.certificate);
    const chain = ['-CAfile', 'root.pem', '-untrusted', 'issuing.pem'];
    const strict = await work.openssl(
      'verify',
      '-x509_strict',
      '-purpose',
      'sslclient',
      ...chain,
      'device.pem',
    );
    expect(strict.output).toContain('device.pem: OK');
    expect((await work.openssl('verify', '-purpose', 'sslserver', ...chain, 'device.pem')).status).not.toBe(
      0,
    );
    const shown = await text(issued.certificate);
    expect(shown).toMatch(/Basic Constraints: critical\n\s+CA:FALSE/);
    expect(shown).toMatch(/Key Usage: critical\n\s+Digital Signature\n/);
    expect(shown).toMatch(/Extended Key Usage: \n\s+TLS Web Client Authentication\n/);
    expect(shown).toContain('Subject Key Identifier');
    expect(shown).toContain('Authority Key Identifier');
    expect(shown).not.toContain('Subject Alternative Name');
    expect(shown).not.toContain('CRL Distribution');
  });

  it('carries its serial in its subject, as EMQX and RFC 4514 print it', async () => {
    const issued = await authority.issue({ csr: csrFor('dev-2'), profile: 'device', commonName: 'dev-2' });
    expect(issued.serial).toMatch(/^[0-9A-F]{32}$/);
    const parsed = new X509Certificate(issued.certificate);
    expect(parsed.serialNumber).toBe(issued.serial);
    expect(parsed.fingerprint256.replaceAll(':', '').toLowerCase()).toBe(issued.fingerprint);
    await work.file('dn.pem', issued.certificate);
    const dn = await work.openssl('x509', '-in', 'dn.pem', '-noout', '-subject', '-nameopt', 'RFC2253');
    expect(dn.output.trim()).toBe(`subject=serialNumber=${issued.serial},CN=dev-2`);
  });

  it('lives 90 days from now, and was valid a little before', async () => {
    const issued = await authority.issue({ csr: csrFor('dev-3'), profile: 'device', commonName: 'dev-3' });
    const second = Math.floor(now / 1000) * 1000;
    expect(Date.parse(issued.notAfter) - second).toBe(90 * day);
    expect(second - Date.parse(issued.notBefore)).toBe(300_000);
    const parsed = new X509Certificate(issued.certificate);
    expect(Date.parse(parsed.validTo)).toBe(Date.parse(issued.notAfter));
  });

  it('never outlives the issuing CA', async () => {
    const dir = join(work.dir, 'old');
    const start = Date.now();
    let clock = start;
    const old = await openAuthority({ dir, now: () => clock });
    clock = start + 10 * 365 * day - 5 * day;
    const last = await old.issue({ csr: csrFor('dev-1'), profile: 'device', commonName: 'dev-1' });
    const { issuing } = await old.trust();
    expect(Date.parse(last.notAfter)).toBe(Date.parse(new X509Certificate(issuing).validTo));
    clock += 6 * day;
    const late = old.issue({ csr: csrFor('dev-2'), profile: 'device', commonName: 'dev-2' });
    await expect(late).rejects.toMatchObject({ code: 'issuer_expired' });
  });

  it.each(['', 'a'.repeat(65), 'dev/1', 'dev+1', '#', 'dev 1', 'dev\n', 'dév'])(
    'is refused the name %j',
    async (name) => {
      const attempt = authority.issue({ csr: csrFor('dev-1'), profile: 'device', commonName: name });
      await expect(attempt).rejects.toMatchObject({ code: 'name_invalid' });
    },
  );

  it('is not issued for a profile that does not exist', async () => {
    for (const profile of ['admin', 'constructor', '__proto__'] as never[]) {
      const attempt = authority.issue({ csr: csrFor('dev-1'), profile, commonName: 'dev-1' });
      await expect(attempt).rejects.toMatchObject({ code: 'profile_unknown' });
    }
  });
});

describe('broker and service certificates', () => {
  it('carry exactly the names that were asked for and allowed', async () => {
    const names = ['broker.example', 'LOCALHOST', '127.0.0.1', '2001:DB8::1', '::ffff:10.0.0.1'];
    const issued = await issueKeyPair(authority, { profile: 'broker', commonName: 'broker', names });
    const shown = await text(issued.certificate);
    expect(shown).toContain(
      'DNS:broker.example, DNS:localhost, IP Address:127.0.0.1, IP Address:2001:DB8:0:0:0:0:0:1, IP Address:0:0:0:0:0:FFFF:A00:1',
    );
    expect(shown).toMatch(/Extended Key Usage: \n\s+TLS Web Server Authentication\n/);
    expect(shown).toMatch(/Subject: CN = broker\n/);
  });

  it('are refused other names, and a broker without any', async () => {
    const attempt = (carried: string[], allowed?: string[], profile: 'broker' | 'device' = 'broker') =>
      authority.issue({ csr: csrFor('b', carried), profile, commonName: 'b', names: allowed });
    await expect(attempt(['evil.example'], ['good.example'])).rejects.toMatchObject({
      code: 'csr_name_refused',
    });
    await expect(attempt(['good.example'])).rejects.toMatchObject({ code: 'csr_name_refused' });
    await expect(attempt([], ['good.example'])).rejects.toMatchObject({ code: 'csr_name_refused' });
    await expect(attempt(['x.example'], ['x.example'], 'device')).rejects.toMatchObject({
      code: 'csr_name_refused',
    });
    await expect(attempt([], ['*.example'])).rejects.toMatchObject({ code: 'name_invalid' });
    await expect(attempt([], ['1.2.3'])).rejects.toMatchObject({ code: 'name_invalid' });
  });
});

describe('a device that comes back', () => {
  it('must sign with the key that it had, when that is asked for', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const request = {
      csr: makeRequest(privateKey, 'dev-7'),
      profile: 'device',
      commonName: 'dev-7',
    } as const;
    const known = await authority.issue(request);
    now += 100 * day;
    const back = await authority.issue({ ...request, sameKeyAs: known.certificate });
    expect(back.serial).not.toBe(known.serial);
    const stranger = authority.issue({ ...request, csr: csrFor('dev-7'), sameKeyAs: known.certificate });
    await expect(stranger).rejects.toMatchObject({ code: 'csr_key_mismatch' });
    await expect(authority.issue({ ...request, sameKeyAs: 'x' })).rejects.toMatchObject({
      code: 'request_invalid',
    });
    now -= 100 * day;
  });
});

describe('the same CSR again', () => {
  it('gets the same certificate, also when both come at once, also after a restart', async () => {
    const request = { csr: csrFor('dev-4'), profile: 'device', commonName: 'dev-4' } as const;
    const both = await Promise.all([authority.issue(request), authority.issue(request)]);
    const restarted = await openAuthority({ dir: join(work.dir, 'ca'), now: () => now });
    const answers = [...both, await authority.issue(request), await restarted.issue(request)];
    expect(new Set(answers.map((answer) => answer.serial)).size).toBe(1);
    expect(answers[3]).toEqual(answers[0]);
  });

  it('gets a new one in the second half of its life, for another name or profile, or after a revocation', async () => {
    const request = { csr: csrFor('dev-5'), profile: 'device', commonName: 'dev-5' } as const;
    const first = await authority.issue(request);
    const names = ['h.example'];
    const host = { csr: csrFor('h.example', names), commonName: 'h.example', names };
    const [broker, service] = [
      await authority.issue({ ...host, profile: 'broker' }),
      await authority.issue({ ...host, profile: 'service' }),
    ];
    expect(broker.serial).not.toBe(service.serial);
    now += 44 * day;
    expect((await authority.issue(request)).serial).toBe(first.serial);
    now += 2 * day;
    const second = await authority.issue(request);
    expect(second.serial).not.toBe(first.serial);
    await authority.revoke(second.serial, 'superseded');
    expect((await authority.issue(request)).serial).not.toBe(second.serial);
    now -= 46 * day;
  });

  it('gets a new one while the one that it got is not valid yet: the clock was wrong', async () => {
    const request = { csr: csrFor('dev-7'), profile: 'device', commonName: 'dev-7' } as const;
    now += 30 * day;
    const early = await authority.issue(request);
    now -= 30 * day;
    const issued = await authority.issue(request);
    expect(issued.serial).not.toBe(early.serial);
    expect(Date.parse(issued.notBefore)).toBeLessThanOrEqual(now);
    expect((await authority.issue(request)).serial).toBe(issued.serial);
  });
});

describe('lifetimes', () => {
  it('are configurable, and refused when they make no sense', async () => {
    const dir = join(work.dir, 'ca');
    const short = await openAuthority({ dir, lifetimes: { device: 60 } });
    const issued = await short.issue({ csr: csrFor('dev-6'), profile: 'device', commonName: 'dev-6' });
    expect(Date.parse(issued.notAfter) - Date.now()).toBeLessThanOrEqual(60_000);
    const wrong = openAuthority({ dir, lifetimes: { device: 0, broker: 1.5 } });
    await expect(wrong).rejects.toMatchObject({ code: 'config_invalid', message: /device.*broker/ });
  });
});

it('a service is named as no device can be', async () => {
  for (const commonName of ['webhook', 'dev-1', 'dev_1', '.', 'a.', '.a', 'a..b', `${'a'.repeat(63)}.b`])
    await expect(issueKeyPair(authority, { profile: 'service', commonName })).rejects.toMatchObject({
      code: 'name_invalid',
    });
  for (const commonName of ['webhook.flota', 'a.b', 'factory-1.line_2.example'])
    expect(await issueKeyPair(authority, { profile: 'service', commonName })).toMatchObject({ commonName });
});
