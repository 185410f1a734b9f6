import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAuthority } from './authority.ts';
import { createRootOnly, openHierarchy } from './hierarchy.ts';
import { issueKeyPair } from './key-pair.ts';
import { splitPem } from './pem.ts';
import { installIssuing, requestIssuing, rotate, signIssuingRequest } from './rotation.ts';
import { openWorkspace, type Workspace } from './test-openssl.ts';

const crlUrl = 'http://127.0.0.1:8081/pki/crl.pem';
let work: Workspace;
beforeAll(async () => {
  work = await openWorkspace();
});
afterAll(() => work.remove());

const at = (name: string) => ({ dir: join(work.dir, name), now: Date.now });
const device = { profile: 'device', commonName: 'dev-1' } as const;

async function verify(leaf: string, chain: string, root: string, crl?: string): Promise<string> {
  await work.file('leaf.pem', leaf);
  await work.file('chain.pem', chain);
  await work.file('root.pem', root);
  const check = crl === undefined ? [] : ['-crl_check', '-CRLfile', await work.file('crls.pem', crl)];
  const files = ['-CAfile', 'root.pem', '-untrusted', 'chain.pem', 'leaf.pem'];
  return (await work.openssl('verify', '-x509_strict', ...check, ...files)).output;
}

describe('a root that is kept offline', () => {
  it('signs the request of an issuing CA whose key it never sees, and that CA works without it', async () => {
    const [offline, online] = [
      { ...at('offline'), passphrase: 'of the root' },
      { ...at('online'), passphrase: 'of the service' },
    ];
    const root = await createRootOnly(offline);
    const csr = await requestIssuing(online);
    expect(await requestIssuing(online)).toBe(csr);
    await expect(openAuthority(online)).rejects.toMatchObject({ code: 'issuer_missing' });
    const certificate = await signIssuingRequest({ ...offline, csr });
    expect(await readdir(join(offline.dir, 'signed'))).toHaveLength(2);
    expect(await installIssuing({ ...online, certificate, root })).toEqual({ number: 1 });

    const authority = await openAuthority(online);
    const issued = await issueKeyPair(authority, device);
    expect(await verify(issued.certificate, issued.chain, root)).toContain('leaf.pem: OK');
    expect(await authority.trust()).toEqual({ root, issuing: certificate });
    expect(await readdir(join(online.dir, 'hierarchy'))).not.toContain('root.key');
    await expect(authority.rotate()).rejects.toMatchObject({ code: 'root_missing' });
    await expect(openHierarchy(offline)).rejects.toMatchObject({ code: 'issuer_missing' });
    await expect(createRootOnly(offline)).rejects.toMatchObject({ code: 'request_invalid' });
  });

  it('signs no damaged request, and its answer is installed nowhere but where its request was made', async () => {
    const [offline, online, other] = [at('offline-2'), at('online-2'), at('other-2')];
    const root = await createRootOnly(offline);
    const csr = await requestIssuing(online);
    const damaged = csr.replace(/\n(.)/, (_, letter) => `\n${letter === 'M' ? 'N' : 'M'}`);
    await expect(signIssuingRequest({ ...offline, csr: damaged })).rejects.toMatchObject({ code: /^csr_/ });
    const certificate = await signIssuingRequest({ ...offline, csr });

    const install = (where: typeof online, more: { certificate?: string; root?: string }) =>
      installIssuing({ ...where, certificate, root, ...more });
    await expect(install(other, {})).rejects.toMatchObject({ code: 'request_invalid' });
    await requestIssuing(other);
    await expect(install(other, {})).rejects.toMatchObject({ code: 'issuing_mismatch' });
    const foreign = await createRootOnly(at('foreign-2'));
    await expect(install(online, { root: foreign })).rejects.toMatchObject({ code: 'issuing_mismatch' });
    const leaf = await issueKeyPair(await openAuthority(at('leaf-2')), device);
    await expect(install(online, leaf)).rejects.toMatchObject({ code: 'issuing_mismatch' });
    expect(await install(online, {})).toEqual({ number: 1 });
  });
});

describe('rotation of the issuing CA', () => {
  it('overlaps: old chains stay valid, new leaves come from the new one, both are trusted', async () => {
    const where = { ...at('rotated'), crlUrl, passphrase: 'correct horse' };
    const authority = await openAuthority(where);
    const before = await issueKeyPair(authority, device);
    expect(await authority.rotate()).toEqual({ number: 2 });
    const after = await issueKeyPair(authority, device);
    expect(after.chain).not.toBe(before.chain);
    const { root, issuing } = await authority.trust();
    expect(splitPem(issuing)).toEqual([after.chain, before.chain]);
    for (const { certificate, chain } of [before, after])
      expect(await verify(certificate, chain, root)).toContain('leaf.pem: OK');

    const again = await openAuthority(where);
    expect(await again.trust()).toEqual({ root, issuing });
    expect((await issueKeyPair(again, device)).chain).toBe(after.chain);
  });

  it('gives every issuing CA a CRL and an address of its own', async () => {
    const authority = await openAuthority({ ...at('crls'), crlUrl });
    const before = await issueKeyPair(authority, device);
    await authority.rotate();
    const [after, kept] = [await issueKeyPair(authority, device), await issueKeyPair(authority, device)];
    await authority.revoke(before.serial, 'keyCompromise');
    await authority.revoke(after.serial, 'superseded');
    const crls = await authority.crls();
    expect(crls.map(({ name }) => name)).toEqual(['crl-2.pem', 'crl.pem']);
    expect(await readFile(join(work.dir, 'crls/crl-2.pem'), 'utf8')).toBe(crls[0]?.pem);
    const { root } = await authority.trust();
    const judge = (of: typeof before) =>
      verify(of.certificate, of.chain, root, crls.map(({ pem }) => pem).join(''));
    expect(await judge(before)).toContain('certificate revoked');
    expect(await judge(after)).toContain('certificate revoked');
    expect(await judge(kept)).toContain('leaf.pem: OK');
    await work.file('kept.pem', kept.certificate);
    const shown = (await work.openssl('x509', '-in', 'kept.pem', '-noout', '-text')).output;
    expect(shown).toContain('URI:http://127.0.0.1:8081/pki/crl-2.pem');
    await work.file('second.pem', crls[0]!.pem);
    const { output } = await work.openssl('crl', '-in', 'second.pem', '-noout', '-text');
    expect(output).toMatch(/Issuing Distribution Point: critical\n\s+Full Name:\n\s+URI:.*crl-2\.pem/);
    expect(output).not.toContain(before.serial);
  });

  it('reaches an authority that another process has open within seconds, and lasts until the old one expires', async () => {
    let now = Date.now();
    const where = { dir: join(work.dir, 'seen'), now: () => now };
    const open = await openAuthority(where);
    const before = await issueKeyPair(open, device);
    await rotate(where);
    await expect
      .poll(async () => (await issueKeyPair(open, device)).chain, { interval: 200 })
      .not.toBe(before.chain);
    now += 9 * 365 * 86_400_000;
    expect(splitPem((await open.trust()).issuing)).toHaveLength(2);
    now += 2 * 365 * 86_400_000;
    await rotate(where);
    const late = await openAuthority(where);
    expect(splitPem((await late.trust()).issuing)).toHaveLength(1);
    expect((await late.crls()).map(({ name }) => name)).toEqual(['crl-3.pem']);
  });
});
