import { createPublicKey } from 'node:crypto';
import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { compactVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LocalAuthority, openAuthority } from './authority.ts';
import { readAttested, readWitnessedHead } from './client.ts';
import { openWorkspace, type Workspace } from './test-openssl.ts';
import { forgetHead } from './witness.ts';

let work: Workspace;
let authority: LocalAuthority;
const dir = () => join(work.dir, 'ca');
const hash = (digit: string) => digit.repeat(64);

beforeAll(async () => {
  work = await openWorkspace();
  authority = await openAuthority({ dir: dir() });
});
afterAll(() => work.remove());

describe('the witness of the audit log', () => {
  it('signs a head so that anybody with the issuing certificate can check it, and remembers it', async () => {
    expect(await authority.witnessed()).toBeNull();
    const head = await authority.witness({ id: 3, hash: hash('a') });
    expect(head).toMatchObject({ id: 3, hash: hash('a'), at: expect.stringMatching(/Z$/) });
    const { issuing } = await authority.trust();
    expect(readWitnessedHead(head.jws, issuing)).toEqual(head);
    const { payload } = await compactVerify(head.jws, createPublicKey(issuing));
    expect(JSON.parse(Buffer.from(payload).toString())).toEqual({ id: 3, hash: hash('a'), at: head.at });
    expect(await (await openAuthority({ dir: dir() })).witnessed()).toEqual(head);
  });

  it('signs the digest of evidence, which is no head, nor a head evidence', async () => {
    const attested = await authority.attest(hash('e'));
    const { issuing } = await authority.trust();
    expect(readAttested(attested.jws, issuing)).toEqual(attested);
    expect(readWitnessedHead(attested.jws, issuing)).toBeNull();
    expect(readAttested((await authority.witnessed())!.jws, issuing)).toBeNull();
  });

  it('signs the same one again and a longer one, but no shorter one and no other of the same length', async () => {
    await authority.witness({ id: 3, hash: hash('a') });
    for (const bad of [
      { id: 2, hash: hash('a') },
      { id: 3, hash: hash('b') },
      { id: 0, hash: hash('0') },
    ])
      await expect(authority.witness(bad)).rejects.toMatchObject({ code: 'head_conflict' });
    expect(await authority.witness({ id: 4, hash: hash('c') })).toMatchObject({ id: 4 });
  });

  it('believes no head that another authority, or nobody, has signed', async () => {
    const other = await openAuthority({ dir: join(work.dir, 'other') });
    const foreign = await other.witness({ id: 9, hash: hash('9') });
    const { issuing } = await authority.trust();
    const own = (await authority.witnessed())!.jws;
    const [, payload, signature] = own.split('.');
    const header = Buffer.from('{"alg":"ES256"}').toString('base64url');
    for (const jws of [foreign.jws, '', '.', 'a.b.c', own.slice(0, -4), `${header}.${payload}.${signature}`])
      expect(readWitnessedHead(jws, issuing)).toBeNull();
  });

  it('stays believed after the issuing CA was rotated', async () => {
    const before = (await authority.witnessed())!;
    await authority.rotate();
    const after = await authority.witness(before);
    const { issuing } = await authority.trust();
    expect([before, after].map(({ jws }) => readWitnessedHead(jws, issuing)?.id)).toEqual([4, 4]);
  });

  it('forgets only when told on its machine, and takes a damaged memory for no empty one', async () => {
    expect(await forgetHead(dir())).toMatchObject({ id: 4 });
    expect(await authority.witnessed()).toBeNull();
    await authority.witness({ id: 1, hash: hash('d') });
    await truncate(join(dir(), 'audit-head.json'), 20);
    await expect(authority.witnessed()).rejects.toMatchObject({ code: 'hierarchy_damaged' });
    await expect(authority.witness({ id: 1, hash: hash('d') })).rejects.toMatchObject({
      code: 'hierarchy_damaged',
    });
  });
});
