import { execFile, execFileSync } from 'node:child_process';
import { createHash, createPrivateKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compactVerify, createLocalJWKSet, exportJWK } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { program } from '#deploy/lab/primitives/programs.js';
import { makeKey, openKey } from './key.ts';
import { signPatches } from './patches.ts';
import { readPublicKeys, toPem } from './public-keys.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'flota-signing-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function firmware(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  const cli = fileURLToPath(new URL('./cli.ts', import.meta.url));
  return new Promise((resolve) => {
    execFile(process.execPath, [...program(cli), ...args], (error, out, err) => {
      resolve({ status: error ? Number(error.code) : 0, out, err });
    });
  });
}

describe('npm run firmware', () => {
  it('signs the manifest of an image with a key of its own, verifiable by the public set', async () => {
    expect((await firmware('keygen', '--out', dir)).status).toBe(0);
    const file = join(dir, 'app.bin');
    writeFileSync(file, 'an image');
    const key = join(dir, 'firmware-signing-key.pem');
    const signed = await firmware(
      'sign',
      '--key',
      key,
      '--file',
      file,
      '--version',
      '1.2.3',
      '--hardware',
      'esp32-s3',
    );
    expect(signed.err).toBe('');
    const keys = createLocalJWKSet(JSON.parse(readFileSync(join(dir, 'firmware-keys.json'), 'utf8')));
    const { payload, protectedHeader } = await compactVerify(signed.out.trim(), keys);
    expect(protectedHeader.alg).toBe('ES256');
    expect(JSON.parse(new TextDecoder().decode(payload))).toEqual({
      component: 'main',
      hardware: 'esp32-s3',
      version: '1.2.3',
      securityVersion: 0,
      fileName: 'app.bin',
      size: 8,
      sha256: createHash('sha256').update('an image').digest('hex'),
    });
  });

  it('converts keys between PEM and JWKS, several into one set, and never lets a private half through', async () => {
    const key = join(dir, 'firmware-signing-key.pem');
    const known = JSON.parse(readFileSync(join(dir, 'firmware-keys.json'), 'utf8'));
    const text = readFileSync(key, 'utf8');
    expect(await readPublicKeys(text)).toEqual(known.keys);
    expect(await readPublicKeys(JSON.stringify(known))).toEqual(known.keys);
    const publicPem = execFileSync('openssl', ['pkey', '-in', key, '-pubout']).toString();
    expect(toPem(known.keys[0])).toBe(publicPem);
    expect(await readPublicKeys(publicPem)).toEqual(known.keys);
    const withPrivate = await exportJWK(createPrivateKey(text));
    expect(withPrivate.d).toBeDefined();
    expect(await readPublicKeys(JSON.stringify({ keys: [withPrivate] }))).toEqual(known.keys);
    await expect(readPublicKeys('neither')).rejects.toThrow('neither PEM nor a JSON Web Key Set');
    const edwards = execFileSync('openssl', ['genpkey', '-algorithm', 'ED25519']).toString();
    await expect(readPublicKeys(edwards)).rejects.toThrow('not an ECDSA P-256 key');

    const make = (name: string) => {
      execFileSync('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-out', join(dir, name)]);
      return join(dir, name);
    };
    const both = await firmware('keys', key, make('next.pem'), join(dir, 'firmware-keys.json'));
    expect(JSON.parse(both.out).keys).toEqual([known.keys[0], expect.objectContaining({ alg: 'ES256' })]);
    const three = await firmware('keys', key, join(dir, 'next.pem'), make('third.pem'), '--pem');
    expect(three).toMatchObject({ status: 1, err: 'firmware: these are 3 keys, and devices keep 2\n' });
  });

  it('never writes over a key, and says in one line what is missing or wrong', async () => {
    const again = await firmware('keygen', '--out', dir);
    expect(again.status).toBe(1);
    expect(again.err).toMatch(/^firmware: EEXIST[^\n]*\n$/);
    expect((await firmware('sign', '--file', join(dir, 'app.bin'))).err).toMatch(
      /^firmware: --\w+ is needed[^\n]*\n$/,
    );
    const empty = join(dir, 'empty.bin');
    writeFileSync(empty, '');
    const key = join(dir, 'firmware-signing-key.pem');
    const refused = await firmware(
      'sign',
      '--key',
      key,
      '--file',
      empty,
      '--version',
      '1',
      '--hardware',
      'h',
    );
    expect(refused).toMatchObject({ status: 1, out: '' });
    expect(refused.err).toMatch(/^firmware: size: /);
  });
});

describe('patches that wait to be signed', () => {
  const digest = (byte: string) => byte.repeat(64);
  const image = {
    ...{ component: 'main', hardware: 'esp32-s3', version: '2.0.0', securityVersion: 0 },
    ...{ fileName: 'app.bin', size: 9_000, sha256: digest('a') },
  };
  const patch = (base: string | null) => ({
    ...image,
    patch: { format: 'detools', ...(base && { base }), size: 400, sha256: digest('c') },
  });
  const item = (base: string | null, more = {}) => ({
    base,
    state: 'unsigned',
    claims: patch(base),
    ...more,
  });

  it('are signed for the very image that a trusted key has signed, by a person who keeps that key away', async () => {
    const key = await openKey(makeKey());
    const manifest = await key.sign(image);
    const known = item(digest('d'), { state: 'ready' });
    const told = { manifest, sizeBytes: 9_000, items: [item(digest('b')), item(null), known] };
    const signed = await signPatches(told, key);
    expect(signed.map(({ base }) => base)).toEqual([digest('b'), null]);
    for (const { base, manifest: jws } of signed) {
      const { payload } = await compactVerify(jws, createLocalJWKSet(key.publicKeys));
      expect(JSON.parse(new TextDecoder().decode(payload))).toEqual(patch(base));
    }
    const file = join(dir, 'patches.json');
    writeFileSync(file, JSON.stringify(told));
    const next = join(dir, 'next-key.pem');
    writeFileSync(next, makeKey());
    writeFileSync(join(dir, 'trusted.json'), JSON.stringify(key.publicKeys));
    // A new key for what an older one has signed.
    const out = await firmware(
      'sign-patches',
      '--key',
      next,
      '--in',
      file,
      '--keys',
      join(dir, 'trusted.json'),
    );
    expect(JSON.parse(out.out)).toHaveLength(2);
    expect(await firmware('sign-patches', '--key', next, '--in', file)).toMatchObject({
      status: 1,
      err: expect.stringContaining('signed by another key'),
    });
  });

  it('are not signed for another image, under another base, or for one that nobody has signed', async () => {
    const key = await openKey(makeKey());
    const manifest = await key.sign(image);
    const of = (items: object[], more = {}) =>
      signPatches({ manifest, sizeBytes: 9_000, items, ...more }, key);
    const claims = patch(digest('b'));
    for (const change of [{ sha256: digest('e') }, { securityVersion: 9 }, { hardware: 'esp32' }])
      await expect(of([item(digest('b'), { claims: { ...claims, ...change } })])).rejects.toThrow(
        'another image',
      );
    await expect(of([item(null, { claims })])).rejects.toThrow('another base');
    await expect(of([item(digest('b'))], { manifest: null })).rejects.toThrow('not signed');
    await expect(of([{ base: 7 }])).rejects.toThrow('no patches');
    expect(await of([item(digest('b'), { claims: null })])).toEqual([]);
  });
});
