import { execFile } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listen } from '#deploy/lab/primitives/listen.ts';
import { type AuthorityOptions, openAuthority } from './authority.ts';
import { toConfig } from './config.ts';
import { createRootOnly } from './hierarchy.ts';
import { issueKeyPair } from './key-pair.ts';
import { installIssuing, requestIssuing, signIssuingRequest } from './rotation.ts';
import { openWorkspace, type Workspace } from './test-openssl.ts';

const arn = (id: string) => `arn:aws:kms:eu-central-1:111122223333:key/${id}`;
const environment: Record<string, string> = {
  AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'secret',
};
let work: Workspace;
let kms: Server;
/** Keys of the stand-in, by id, and what was asked of it. */
const keys = new Map<string, { key: KeyObject; spec: string; usage: string }>();
const asked: { target: string; body: Record<string, string> }[] = [];
let away = false;

const newKey = (id: string, namedCurve = 'P-256', spec = 'ECC_NIST_P256', usage = 'SIGN_VERIFY') =>
  keys.set(id, { key: generateKeyPairSync('ec', { namedCurve }).privateKey, spec, usage });

beforeAll(async () => {
  Object.assign(process.env, environment);
  work = await openWorkspace();
  for (const id of ['first', 'second', 'third']) newKey(id);
  newKey('p384', 'P-384', 'ECC_NIST_P384');
  newKey('agreement', 'P-256', 'ECC_NIST_P256', 'KEY_AGREEMENT');
  // AWS JSON 1.1: the operation is in a header, binary values are Base64.
  kms = createServer(async (request, response) => {
    const body = JSON.parse(Buffer.concat(await request.toArray()).toString()) as Record<string, string>;
    const target = String(request.headers['x-amz-target']);
    const answer = (status: number, value: object) =>
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(value));
    asked.push({ target, body });
    const signed = /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-central-1\/kms\/aws4_request/;
    if (!signed.test(request.headers.authorization ?? ''))
      return answer(400, { __type: 'AccessDeniedException' });
    if (away) return answer(400, { __type: 'DisabledException', message: 'is disabled' });
    const id = body.KeyId!.replace(/^alias\//, '').replace(/^arn:.*key\//, '');
    const entry = keys.get(id);
    if (!entry) return answer(400, { __type: 'NotFoundException', message: 'no such key' });
    if (target === 'TrentService.GetPublicKey') {
      const spki = createPublicKey(entry.key).export({ type: 'spki', format: 'der' });
      const PublicKey = spki.toString('base64');
      return answer(200, { KeyId: arn(id), KeySpec: entry.spec, KeyUsage: entry.usage, PublicKey });
    }
    const { Message, MessageType, SigningAlgorithm } = body;
    const digest = Buffer.from(Message!, 'base64');
    if (target !== 'TrentService.Sign' || MessageType !== 'DIGEST' || digest.length !== 32)
      return answer(400, { __type: 'ValidationException' });
    return answer(200, { KeyId: arn(id), SigningAlgorithm, Signature: await signDigest(digest, entry.key) });
  });
  process.env.AWS_ENDPOINT_URL_KMS = `http://127.0.0.1:${await listen(kms)}`;
});
afterAll(async () => {
  kms.closeAllConnections();
  await new Promise((resolve) => kms.close(resolve));
  await work.remove();
  for (const name of [...Object.keys(environment), 'AWS_ENDPOINT_URL_KMS']) delete process.env[name];
});

/** Node signs no digest that others have made; the openssl command does. */
async function signDigest(digest: Buffer, key: KeyObject): Promise<string> {
  const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
  return new Promise((resolve, reject) => {
    const args = ['pkeyutl', '-sign', '-inkey', join(work.dir, 'kms.pem'), '-pkeyopt', 'digest:sha256'];
    work.file('kms.pem', pem).then(() => {
      const child = execFile('openssl', args, { encoding: 'buffer' }, (error, out) =>
        error ? reject(error) : resolve(out.toString('base64')),
      );
      child.stdin!.end(digest);
    }, reject);
  });
}

const at = (name: string, keyId: string): AuthorityOptions & { now: () => number } => ({
  dir: join(work.dir, name),
  now: Date.now,
  kms: { keyId, region: 'eu-central-1' },
});
const device = { profile: 'device', commonName: 'dev-1' } as const;

async function verify(leaf: string, chain: string, root: string, crl: string): Promise<string> {
  await work.file('leaf.pem', leaf);
  await work.file('chain.pem', chain);
  await work.file('root.pem', root);
  await work.file('crl.pem', crl);
  const files = ['-CAfile', 'root.pem', '-untrusted', 'chain.pem', 'leaf.pem'];
  return (await work.openssl('verify', '-x509_strict', '-crl_check', '-CRLfile', 'crl.pem', ...files)).output;
}

describe('an issuing CA whose key is in a KMS', () => {
  it('signs what openssl verifies: certificates and CRLs, by Sign over a digest and by nothing else', async () => {
    const authority = await openAuthority(at('ca', 'alias/first'));
    const { root, issuing } = await authority.trust();
    asked.length = 0;
    const issued = await issueKeyPair(authority, device);
    const crl = await authority.crl();
    expect(asked.map((a) => a.target)).toEqual(['TrentService.Sign', 'TrentService.Sign']);
    for (const { body } of asked)
      expect(body).toMatchObject({
        KeyId: arn('first'),
        MessageType: 'DIGEST',
        SigningAlgorithm: 'ECDSA_SHA_256',
      });
    expect(await verify(issued.certificate, issued.chain, root, crl)).toContain('leaf.pem: OK');
    await work.file('issuing.pem', issuing);
    const shown = await work.openssl('x509', '-in', 'issuing.pem', '-noout', '-pubkey');
    expect(shown.output.trim()).toBe(
      createPublicKey(keys.get('first')!.key).export({ type: 'spki', format: 'pem' }).toString().trim(),
    );
    const { serial } = await issueKeyPair(authority, { ...device, commonName: 'dev-2' });
    await authority.revoke(serial, 'keyCompromise');
    expect(await authority.crl()).not.toBe(crl);
  });

  it('keeps the address of its key and no key, and is the same CA after a restart and without the setting', async () => {
    const kept = await readFile(join(work.dir, 'ca', 'hierarchy', 'issuing.key'), 'utf8');
    expect(JSON.parse(kept)).toEqual({ kms: { keyId: arn('first'), region: 'eu-central-1' } });
    const before = await (await openAuthority(at('ca', 'alias/first'))).trust();
    const { kms: _, ...without } = at('ca', 'first');
    for (const options of [at('ca', 'second'), without])
      expect(await (await openAuthority(options)).trust()).toEqual(before);
  });

  it('is replaced by one with a key of its own, in the KMS or in a file', async () => {
    await expect((await openAuthority(at('ca', 'first'))).rotate()).rejects.toMatchObject({
      code: 'config_invalid',
    });
    expect(await (await openAuthority(at('ca', 'second'))).rotate()).toEqual({ number: 2 });
    const { kms: _, ...inFile } = at('ca', 'first');
    const authority = await openAuthority(inFile);
    expect(await authority.rotate()).toEqual({ number: 3 });
    const { root } = await authority.trust();
    const issued = await issueKeyPair(authority, device);
    expect(await authority.crls()).toHaveLength(3);
    expect(await verify(issued.certificate, issued.chain, root, await authority.crl())).toContain(
      'leaf.pem: OK',
    );
  });

  it('gets its certificate from a root that is kept offline, for a request that the KMS has signed', async () => {
    const offline = { dir: join(work.dir, 'offline'), now: Date.now, passphrase: 'of the root' };
    const online = at('online', 'first');
    const root = await createRootOnly(offline);
    const certificate = await signIssuingRequest({ ...offline, csr: await requestIssuing(online) });
    await installIssuing({ ...online, certificate, root });
    const issued = await issueKeyPair(await openAuthority(online), device);
    const crl = await (await openAuthority(online)).crl();
    expect(await verify(issued.certificate, issued.chain, root, crl)).toContain('leaf.pem: OK');
  });

  it('answers ca_unavailable while the KMS refuses, and issues again afterwards', async () => {
    const authority = await openAuthority(at('online', 'first'));
    away = true;
    await expect(issueKeyPair(authority, device)).rejects.toMatchObject({ code: 'ca_unavailable' });
    await expect(openAuthority(at('online', 'first'))).rejects.toThrow(/DisabledException/);
    away = false;
    expect((await issueKeyPair(authority, device)).certificate).toContain('BEGIN CERTIFICATE');
  });

  it('takes no key that cannot be a CA key, nor a signature that its key has not made', async () => {
    for (const id of ['p384', 'agreement'])
      await expect(openAuthority(at(`bad-${id}`, id))).rejects.toMatchObject({ code: 'config_invalid' });
    await expect(openAuthority(at('bad-missing', 'none'))).rejects.toMatchObject({ code: 'ca_unavailable' });
    const real = keys.get('first')!;
    newKey('first');
    await expect(openAuthority(at('online', 'first'))).rejects.toMatchObject({ code: 'hierarchy_damaged' });
    keys.set('first', real);
  });
});

describe('its settings', () => {
  it('are an id, an alias or an ARN, and the region', () => {
    expect(toConfig({ CA_KMS_KEY_ID: arn('1a-2b'), AWS_REGION: 'eu-west-1' }).kms).toEqual({
      keyId: arn('1a-2b'),
      region: 'eu-west-1',
    });
    expect(toConfig({}).kms).toBeUndefined();
    expect(() => toConfig({ CA_KMS_KEY_ID: 'a key' })).toThrow('CA_KMS_KEY_ID');
  });
});
