import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LocalAuthority, openAuthority } from './authority.ts';
import { pickEntries } from './crl.ts';
import { issueKeyPair } from './key-pair.ts';
import { openWorkspace, type Workspace } from './test-openssl.ts';

const day = 86_400_000;
const crlUrl = 'http://127.0.0.1:8081/crl.pem';
let work: Workspace;
let authority: LocalAuthority;
let now = Date.now();

beforeAll(async () => {
  work = await openWorkspace();
  authority = await openAuthority({ dir: join(work.dir, 'ca'), crlUrl, now: () => now });
  const { root, issuing } = await authority.trust();
  await work.file('trust.pem', root + issuing);
});
afterAll(() => work.remove());

async function show(pem: string): Promise<string> {
  await work.file('crl.pem', pem);
  const { status, output } = await work.openssl(
    'crl',
    '-in',
    'crl.pem',
    '-CAfile',
    'trust.pem',
    '-noout',
    '-text',
  );
  expect([status, output]).toEqual([0, expect.stringContaining('verify OK')]);
  return output;
}

const numberOf = (shown: string) => Number(/CRL Number: \n\s+(\d+)/.exec(shown)?.[1]);
const device = (name: string) => issueKeyPair(authority, { profile: 'device', commonName: name });

describe('the CRL', () => {
  it('is signed, numbered and names its distribution point, also when nothing is revoked', async () => {
    const shown = await show(await authority.crl());
    expect(shown).toMatch(
      /Issuing Distribution Point: critical\n\s+Full Name:\n\s+URI:http:\/\/127.0.0.1:8081\/crl.pem/,
    );
    expect(shown).toContain('Only User Certificates');
    expect(shown).toContain('X509v3 Authority Key Identifier');
    expect(shown).toContain('No Revoked Certificates');
    expect(numberOf(shown)).toBeGreaterThan(0);
  });

  it('is made anew when it is of a day that is still to come: the clock was wrong, and OpenSSL refuses it until then', async () => {
    now += 30 * day;
    const early = numberOf(await show(await authority.crl()));
    now -= 30 * day;
    const shown = await show(await authority.crl());
    expect(numberOf(shown)).toBeGreaterThan(early);
    expect(Date.parse(/Last Update: (.+)/.exec(shown)![1]!)).toBeLessThanOrEqual(now);
  });

  it('lists a revoked certificate with its reason, and OpenSSL refuses that one alone', async () => {
    const [bad, good] = [await device('dev-1'), await device('dev-1')];
    await authority.revoke(bad.serial, 'keyCompromise');
    const shown = await show(await authority.crl());
    expect(shown).toContain(`Serial Number: ${bad.serial}`);
    expect(shown).toContain('Key Compromise');
    expect(shown).not.toContain(good.serial);
    await work.file('bad.pem', bad.certificate);
    await work.file('good.pem', good.certificate);
    const verify = ['verify', '-crl_check', '-CAfile', 'trust.pem', '-CRLfile', 'crl.pem'];
    expect((await work.openssl(...verify, 'bad.pem')).output).toContain('certificate revoked');
    expect((await work.openssl(...verify, 'good.pem')).output).toContain('good.pem: OK');
  });

  it('is a static file that needs nobody to serve it', async () => {
    expect(await readFile(join(work.dir, 'ca/crl.pem'), 'utf8')).toBe(await authority.crl());
  });

  it('is put right as a file by whoever asks next, when its writer died before that', async () => {
    const path = join(work.dir, 'ca', 'crl.pem');
    const [before] = await authority.crls();
    await authority.revoke((await device('dev-2')).serial, 'unspecified');
    const [after] = await authority.crls();
    expect(after!.number).toBeGreaterThan(before!.number);
    await writeFile(path, before!.pem);
    expect(await authority.crls()).toEqual([after]);
    expect(await readFile(path, 'utf8')).toBe(after!.pem);
    await rm(path);
    await authority.crls();
    expect(await readFile(path, 'utf8')).toBe(after!.pem);
  });

  it('has a higher number each time, and has all in it that are revoked at once', async () => {
    const before = numberOf(await show(await authority.crl()));
    const some = await Promise.all(['a', 'b', 'c', 'd'].map(device));
    await Promise.all(some.map((pair) => authority.revoke(pair.serial, 'unspecified')));
    const shown = await show(await authority.crl());
    expect(numberOf(shown)).toBeGreaterThan(before);
    for (const pair of some) expect(shown).toContain(pair.serial);
  });

  it('is valid for at least a week whenever it is fetched, and keeps an entry past the end of its certificate', async () => {
    const pair = await device('dev-2');
    await authority.revoke(pair.serial, 'superseded');
    now += 6 * day;
    const next = /Next Update: (.*)/.exec(await show(await authority.crl()))?.[1];
    expect(Date.parse(next ?? '') - now).toBeGreaterThan(7 * day);
    now += 85 * day;
    expect(await show(await authority.crl())).toContain(pair.serial);
    now += 60 * day;
    expect(await show(await authority.crl())).not.toContain(pair.serial);
  });

  it('is made anew at once when its address is another, and no more often than that', async () => {
    const before = numberOf(await show(await authority.crl()));
    const dir = join(work.dir, 'ca');
    const moved = await openAuthority({ dir, crlUrl: 'http://10.0.0.9/crl.pem', now: () => now });
    const shown = await show(await moved.crl());
    expect(shown).toContain('URI:http://10.0.0.9/crl.pem');
    expect(numberOf(shown)).toBeGreaterThan(before);
    expect(numberOf(await show(await moved.crl()))).toBe(numberOf(shown));
    expect(await show(await authority.crl())).toContain('URI:http://127.0.0.1:8081/crl.pem');
  });

  it('keeps all that must not be used, and of those that were replaced the ones with most of their life left', () => {
    const entry = (serial: string, reason: 'superseded' | 'keyCompromise', days: number) => ({
      ...{ serial, reason, issuer: 'x', revokedAt: new Date(now).toISOString() },
      notAfter: new Date(now + days * day).toISOString(),
    });
    const all = [
      entry('1', 'superseded', 5),
      entry('2', 'superseded', 30),
      entry('3', 'superseded', 20),
      entry('4', 'keyCompromise', 1),
      entry('5', 'superseded', -1),
      entry('6', 'keyCompromise', -3),
    ];
    const picked = (most: number) => pickEntries(all, now, most).map(({ serial }) => serial);
    expect(picked(4)).toEqual(['1', '2', '3', '4', '5']);
    expect(picked(2)).toEqual(['4', '2', '3']);
  });

  it('takes a serial once, and only one that was issued', async () => {
    const { serial } = await device('dev-3');
    await authority.revoke(serial, 'unspecified');
    await expect(authority.revoke(serial, 'unspecified')).rejects.toMatchObject({ code: 'already_revoked' });
    for (const unknown of ['00', 'AB'.repeat(16), '../../hierarchy/root']) {
      await expect(authority.revoke(unknown, 'unspecified')).rejects.toMatchObject({
        code: 'certificate_unknown',
      });
    }
  });

  it('is named in certificates only as an http: address', async () => {
    await work.file('leaf.pem', (await device('dev-4')).certificate);
    const { output } = await work.openssl('x509', '-in', 'leaf.pem', '-noout', '-text');
    expect(output).toMatch(
      /CRL Distribution Points: \n\s+Full Name:\n\s+URI:http:\/\/127.0.0.1:8081\/crl.pem/,
    );
    const wrong = openAuthority({ dir: join(work.dir, 'ca'), crlUrl: 'https://127.0.0.1/crl.pem' });
    await expect(wrong).rejects.toMatchObject({ code: 'config_invalid' });
  });
});
