import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { Agent, get } from 'node:https';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LocalAuthority, openAuthority } from '#ca/authority.ts';
import { issueKeyPair } from '#ca/key-pair.ts';
import { buildImage } from '#firmware/virtual/image.ts';
import { maxDeviceUrlBytes, signCdnUrl } from '#webhook/firmware/cdn.ts';
import { createObjectStore, type ObjectStore } from '#webhook/firmware/objects.ts';
import { hardware } from '../lab/fleet/devices.ts';
import { until } from '../lab/primitives/until.ts';
import { deploy, listTargets, registerFirmware, unwrap } from '../lab/rest.ts';
import { startTestSystem, type TestSystem } from '../lab/testing.ts';
import { type CdnStandin, startCdn } from './cdn-standin.ts';
import { deployDemo } from './demo.ts';
import { loadSecrets } from './secrets.ts';

const toPems = ({ privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject }) => ({
  privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
});
const rsa = toPems(generateKeyPairSync('rsa', { modulusLength: 2048 }));
const ec = toPems(generateKeyPairSync('ec', { namedCurve: 'P-256' }));
const stranger = toPems(generateKeyPairSync('rsa', { modulusLength: 2048 }));

let cdn: CdnStandin;
let system: TestSystem;
let bucket: ObjectStore;
let authority: LocalAuthority;
const settings = () => ({ url: cdn.url, keyPairId: 'KRSA', privateKey: rsa.privateKey });

beforeAll(async () => {
  cdn = await startCdn({ KRSA: rsa.publicKey, KEC: ec.publicKey }, async (key) => {
    if (key === 'away') throw new Error('the origin is away');
    return (await bucket.presignDownload(key, 'origin')).url;
  });
  system = await startTestSystem({ cdn: settings() });
  const secrets = loadSecrets(system.dataDir);
  authority = await openAuthority({
    dir: join(system.dataDir, 'ca'),
  });
  const pair = await issueKeyPair(authority, { profile: 'broker', commonName: 'cdn', names: ['localhost'] });
  cdn.present({ key: pair.key, cert: pair.certificate + pair.chain });
  bucket = createObjectStore({
    endpoint: system.stack.storeUrl,
    bucket: 'flota',
    region: 'us-east-1',
    credentials: { accessKeyId: secrets.s3AccessKeyId, secretAccessKey: secrets.s3SecretAccessKey },
  });
  await bucket.put('1.0+b/some id/이미지 (1).bin', 'twelve bytes', 'text/plain');
});
afterAll(async () => {
  bucket?.close();
  await system?.close();
  await cdn?.close();
});

const inAnHour = () => new Date(Date.now() + 3_600_000);
const key = '1.0+b/some id/이미지 (1).bin';

function ask(url: string, headers: Record<string, string> = {}): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    get(url, { headers, agent: new Agent({ ca: system.stack.trust }) }, (response) => {
      let body = '';
      response.on('data', (data) => {
        body += data;
      });
      response.on('end', () => resolve({ status: response.statusCode!, body }));
    }).on('error', reject);
  });
}

describe('downloads through a CDN', () => {
  let ids: string[];

  it('devices cannot tell: a whole deployment comes in ranges through the CDN and from nowhere else', async () => {
    const { devices } = await system.start(2, { sealed: true });
    ids = devices.map((device) => device.id);
    const [deployment] = await deployDemo(system.rest, ids);
    const targets = await until(
      () => listTargets(system.rest, deployment!.id),
      (all) => all.length === 2 && all.every((t) => t.state === 'succeeded'),
    );
    expect(targets.map((t) => t.device).sort()).toEqual([...ids].sort());
    const parts = cdn.answers.filter((answer) => answer.status === 206);
    expect(parts.length).toBeGreaterThan(4);
    expect(cdn.answers.every((answer) => answer.status === 206 && answer.range)).toBe(true);
  });

  it('firmware that is kept encrypted is neither in the bucket nor in the CDN, and runs on its devices', async () => {
    await unwrap(system.rest.api.encryption.$put({ json: { hardware: [hardware] } }));
    const image = buildImage({ version: '2.0.0', sizeBytes: 200_001, selfTest: 'pass', seed: 2 });
    const about = { version: '2.0.0', fileName: 'secret.bin', releaseNote: '', name: 'Secret', hardware };
    const firmware = await registerFirmware(system.rest, image, about);
    const before = cdn.answers.length;
    const { id } = await deploy(system.rest, { firmwareId: firmware.id, devices: ids });
    await until(
      () => listTargets(system.rest, id),
      (all) => all.length === 2 && all.every((t) => t.state === 'succeeded'),
    );
    const [path, ...others] = new Set(cdn.answers.slice(before).map((answer) => answer.path.split('?')[0]!));
    expect([path, others]).toEqual([expect.stringMatching(/^\/sealed\/[0-9a-f-]{36}$/), []]);
    // Whoever has the address, or the bucket, has this.
    const { stream, sizeBytes } = await bucket.open(path!.slice(1));
    const object = await buffer(stream);
    expect([sizeBytes, object.length]).toEqual([200_805, 200_805]);
    for (let at = 0; at < image.length; at += 4096)
      expect(object.includes(image.subarray(at, at + 64))).toBe(false);
    await until(
      () => bucket.open(firmware.s3Path).catch((error: { code?: string }) => error.code),
      (answer) => answer === 'object_missing',
    );
  });

  it.each([
    ['KRSA', rsa.privateKey],
    ['KEC', ec.privateKey],
  ])(
    'the signature of %s is one that CloudFront takes, for any name that a firmware may have',
    async (keyPairId, privateKey) => {
      const { url } = signCdnUrl({ url: cdn.url, keyPairId, privateKey }, key, inAnHour());
      expect(await ask(url)).toEqual({ status: 200, body: 'twelve bytes' });
      expect(await ask(url, { range: 'bytes=7-' })).toEqual({ status: 206, body: 'bytes' });
    },
  );

  it('an origin that is away ends the connection and nothing else', async () => {
    const { url } = signCdnUrl(settings(), 'away', inAnHour());
    await expect(ask(url)).rejects.toThrow(/hang up/);
    expect((await ask(signCdnUrl(settings(), key, inAnHour()).url)).status).toBe(200);
  });

  it('another object, a later end, an address that has expired or was signed by a stranger is refused', async () => {
    const { url } = signCdnUrl(settings(), key, inAnHour());
    const expires = new URL(url).searchParams.get('Expires')!;
    const wrong = [
      url.replace('1.0%2Bb', '1.1%2Bb'),
      url.replace(expires, String(Number(expires) + 60)),
      url.replace('Signature=', 'Signature=A'),
      `${url}&versionId=1`,
      url.split('?')[0]!,
      signCdnUrl(settings(), key, new Date(Date.now() - 1000)).url,
      signCdnUrl({ ...settings(), privateKey: stranger.privateKey }, key, inAnHour()).url,
    ];
    for (const address of wrong) expect((await ask(address)).status, address).toBe(403);
  });

  it('lives an hour at most, and fits into what devices keep room for whatever the firmware is called', async () => {
    const store = createObjectStore({ bucket: 'flota', region: 'us-east-1', cdn: settings() });
    const longest = `${'9'.repeat(32)}${'+'.repeat(32)}/${'0'.repeat(36)}/${'𠮷'.repeat(100)}`;
    const { url, expiresAt } = await store.presignForDevice(longest);
    store.close();
    expect(expiresAt.getTime()).toBeLessThanOrEqual(Date.now() + 3_600_000);
    expect(Number(new URL(url).searchParams.get('Expires')) * 1000).toBeLessThanOrEqual(expiresAt.getTime());
    const longestCdn = 150 - cdn.url.length;
    expect(url.length + longestCdn).toBeLessThanOrEqual(maxDeviceUrlBytes);
    expect(() => signCdnUrl(settings(), 'x'.repeat(2000), inAnHour())).toThrow('longer than 2048 bytes');
  });
});
