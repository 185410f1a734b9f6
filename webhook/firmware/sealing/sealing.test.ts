import {
  createDecipheriv,
  createECDH,
  createPrivateKey,
  type ECDH,
  randomBytes,
  randomUUID,
  webcrypto,
} from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import * as asn1js from 'asn1js';
import { eq } from 'drizzle-orm';
import * as pkijs from 'pkijs';
import { beforeAll, describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { downloadRequestSchema } from '#emqx/protocol.ts';
import { certificates } from '../../certificates/table.ts';
import type { Json, TestDevice } from '../../testing.ts';
import { startSuite } from '../../testing-suite.ts';
import { patches } from '../patches/table.ts';
import { deviceKeyOf } from './device-keys.ts';
import { open, wrapInfo } from './format.ts';
import { schedule } from './hpke.ts';
import { readMasterKeys } from './master-keys.ts';
import { sealedObjects } from './table.ts';

const master = randomBytes(32).toString('base64');
const { database, webhook } = await startSuite({ masterKeys: readMasterKeys(master) });
const algorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const;

interface Authority {
  keys: CryptoKeyPair;
  pem: string;
}

/** A certificate of this name and key, signed by `by`. */
async function certify(
  name: string,
  key: CryptoKey,
  by: CryptoKey,
  issuer: string,
  days = 1,
): Promise<string> {
  const it = new pkijs.Certificate();
  it.version = 2;
  it.serialNumber = new asn1js.Integer({ valueHex: new Uint8Array(randomBytes(8)).buffer });
  const named = (value: string) =>
    new pkijs.AttributeTypeAndValue({ type: '2.5.4.3', value: new asn1js.Utf8String({ value }) });
  it.subject.typesAndValues.push(named(name));
  it.issuer.typesAndValues.push(named(issuer));
  it.notBefore.value = new Date(Date.now() - 86_400_000);
  it.notAfter.value = new Date(Date.now() + days * 86_400_000);
  await it.subjectPublicKeyInfo.importKey(key);
  await it.sign(by, 'SHA-256');
  const base64 = Buffer.from(it.toSchema().toBER()).toString('base64');
  return `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
}

async function makeKeys(namedCurve = 'P-256'): Promise<CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey({ ...algorithm, namedCurve }, true, [
    'sign',
    'verify',
  ])) as CryptoKeyPair;
}
async function makeAuthority(): Promise<Authority> {
  const keys = await makeKeys();
  return { keys, pem: await certify('Issuing', keys.publicKey, keys.privateKey, 'Issuing') };
}
async function toEcdh(key: CryptoKey): Promise<ECDH> {
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  const { d } = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }).export({ format: 'jwk' });
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(Buffer.from(d!, 'base64url'));
  return ecdh;
}

let ca: Authority;
beforeAll(async () => {
  ca = await makeAuthority();
  webhook.authority.trust = async () => ({ root: ca.pem, issuing: ca.pem });
});

const setHardware = (...hardware: string[]) => webhook.api('PUT', '/api/encryption', { hardware });
const hardwareName = () => `h${randomUUID().slice(0, 8)}`;

/** A device with a real certificate, which says what it can. */
async function setUp({ hardware = hardwareName(), able = true, patch = false, runs = 'ff'.repeat(32) } = {}) {
  const device = await webhook.device({ hardware });
  const keys = await makeKeys();
  const serial = randomBytes(16).toString('hex').toUpperCase();
  const certificate = await certify(device.id, keys.publicKey, ca.keys.privateKey, 'Issuing');
  await database.db.insert(certificates).values({
    ...{ serial, profile: 'device', commonName: device.id, certificate, chain: '' },
    ...{ notBefore: new Date(), notAfter: new Date(Date.now() + 86_400_000) },
  });
  await device.connect(Date.now(), serial);
  await device.subscribe(serial);
  await device.critical('status/health', {
    state: 'ok',
    running: [
      { ...device.running(runs), ...(able && { seal: 'hpke-p256' }), ...(patch && { patch: 'detools' }) },
    ],
    boot: { count: 1, reason: 'power_on' },
  });
  return { device, hardware, ecdh: await toEcdh(keys.privateKey) };
}

const firstRequest = (device: TestDevice): Promise<Json> =>
  until('the request', () => device.requests()[0]?.body);

/** As a device does it. */
async function openAs(ecdh: ECDH, url: string, about: { deployment: string; sha256: string; size: number }) {
  const [address, fragment] = url.split('#seal1=') as [string, string];
  const bytes = Buffer.from(fragment, 'base64url');
  const enc = bytes.subarray(0, 65);
  const info = wrapInfo(about.deployment, about.sha256);
  const { key, nonce } = schedule(ecdh.computeSecret(enc), enc, ecdh.getPublicKey(), info);
  const decipher = createDecipheriv('aes-256-gcm', key, nonce).setAuthTag(bytes.subarray(-16));
  const objectKey = Buffer.concat([decipher.update(bytes.subarray(65, -16)), decipher.final()]);
  const object = webhook.objects.objects.get(decodeURIComponent(new URL(address).pathname.slice(1)))!;
  return buffer(open(Readable.from([object]), objectKey, about.size));
}

describe('firmware of a hardware that is kept encrypted', () => {
  test('is sent sealed to the key of the device, and is nowhere plain', async () => {
    const { device, hardware, ecdh } = await setUp();
    expect((await setHardware(hardware)).body).toEqual({ hardware: [hardware], available: true });
    const content = randomBytes(10_000);
    const firmware = await webhook.firmware({ hardware, content });
    const { id } = await webhook.deploy(firmware.id, device);
    const request = await firstRequest(device);
    expect(downloadRequestSchema.safeParse(request).error).toBeUndefined();
    const about = { deployment: id, sha256: firmware.sha256, size: content.length };
    expect(await openAs(ecdh, request.url, about)).toEqual(content);
    await until('the plain object to go', () => !webhook.objects.objects.has(firmware.s3Path as string));
    for (const object of webhook.objects.objects.values())
      expect(object.includes(content.subarray(0, 64))).toBe(false);
    // Nor is the key in the database.
    const [row] = await database.db
      .select()
      .from(sealedObjects)
      .where(eq(sealedObjects.sha256, firmware.sha256));
    const key = readMasterKeys(master).unwrap(row!.wrappedKey!, firmware.sha256);
    expect(JSON.stringify(row)).not.toContain(key.toString('base64url'));
    expect(
      await buffer(open(Readable.from([webhook.objects.objects.get(row!.s3Path!)!]), key, 10_000)),
    ).toEqual(content);
    const shown = await until('it to be shown', async () => {
      const { body } = await webhook.api('GET', `/api/firmware/${firmware.id}`);
      return body.sealed && body;
    });
    const query = `version=${shown.version}&fileName=firmware.bin`;
    const download = await webhook.api('GET', `/api/s3/presigned_download?${query}`);
    expect([download.status, download.body.code]).toEqual([409, 'firmware_sealed']);
  });

  test('does not go to devices that cannot decrypt it, and the dry run says so', async () => {
    const hardware = hardwareName();
    const old = await setUp({ hardware, able: false });
    const able = await setUp({ hardware });
    await setHardware(hardware);
    const firmware = await webhook.firmware({ hardware });
    const both = { firmwareId: firmware.id, devices: [old.device.id, able.device.id] };
    const dry = (await webhook.api('POST', '/api/deployments/dry_run', both)).body;
    expect(dry).toMatchObject({ targets: 1, excludedCounts: { cannot_decrypt: 1 } });
    expect(dry.excluded).toEqual([{ device: old.device.id, reason: 'cannot_decrypt' }]);
    const refused = await webhook.api('POST', '/api/deployments', { ...both, devices: [old.device.id] });
    expect([refused.status, refused.body.code]).toEqual([422, 'cannot_decrypt']);
    await webhook.deploy(firmware.id, old.device, able.device);
    await firstRequest(able.device);
    expect(old.device.requests()).toEqual([]);
  });

  test('that was there before is encrypted when the setting is made, and stays so after it', async () => {
    const { device, hardware, ecdh } = await setUp();
    const content = randomBytes(5_000);
    const firmware = await webhook.firmware({ hardware, content });
    await setHardware(hardware);
    await until('the plain object to go', () => !webhook.objects.objects.has(firmware.s3Path as string));
    await setHardware();
    const { id } = await webhook.deploy(firmware.id, device);
    const { url } = await firstRequest(device);
    const about = { deployment: id, sha256: firmware.sha256, size: content.length };
    expect(await openAs(ecdh, url, about)).toEqual(content);
  });

  test('is not sent to a device whose certificate is none of our CA', async () => {
    const { device, hardware } = await setUp();
    const stranger = await makeAuthority();
    const keys = await makeKeys();
    const forged = await certify(device.id, keys.publicKey, stranger.keys.privateKey, 'Issuing');
    await database.db
      .update(certificates)
      .set({ certificate: forged })
      .where(eq(certificates.commonName, device.id));
    await setHardware(hardware);
    const firmware = await webhook.firmware({ hardware });
    const { id } = await webhook.deploy(firmware.id, device);
    const target = await until('the end', async () => {
      const it = await webhook.target(id, device);
      return it.state === 'failed' && it;
    });
    expect(target.error.code).toBe('cannot_decrypt');
    expect(device.requests()).toEqual([]);
  });

  test('comes by a sealed patch, made out of sealed images, and the patch is nowhere plain', async () => {
    const hardware = hardwareName();
    await setHardware(hardware);
    const [old, next] = [randomBytes(30_000), Buffer.alloc(0)];
    const newer = Buffer.concat([
      old.subarray(0, 9_000),
      Buffer.from('something new'),
      old.subarray(9_000),
      next,
    ]);
    const older = await webhook.firmware({ hardware, content: old });
    const { device, ecdh } = await setUp({ hardware, patch: true, runs: older.sha256 });
    const firmware = await webhook.firmware({ hardware, content: newer });
    const { id } = await webhook.deploy(firmware.id, device);
    const request = await firstRequest(device);
    const manifest = JSON.parse(Buffer.from(request.manifest.split('.')[1], 'base64url').toString());
    expect(manifest.patch).toBeDefined();
    const { sha256, size } = manifest.patch;
    const patch = await openAs(ecdh, request.url, { deployment: id, sha256, size });
    expect(patch.length).toBe(size);
    const [row] = await database.db.select().from(patches).where(eq(patches.sha256, sha256));
    expect(webhook.objects.objects.get(row!.s3Path!)!.equals(patch)).toBe(false);
    for (const object of webhook.objects.objects.values()) expect(object.equals(patch)).toBe(false);
  });

  test('fails its update, to be tried again, when the store holds another object', async () => {
    const { device, hardware } = await setUp();
    const firmware = await webhook.firmware({ hardware });
    const path = firmware.s3Path as string;
    webhook.objects.objects.set(path, Buffer.from(randomUUID()));
    await setHardware(hardware);
    const stored = async () => {
      const [row] = await database.db
        .select()
        .from(sealedObjects)
        .where(eq(sealedObjects.sha256, firmware.sha256));
      return row?.error;
    };
    expect(await until('the error', stored)).toContain('another object');
    expect([...webhook.objects.objects.keys()]).toContain(path);
    expect(device.requests()).toEqual([]);
  });

  test('is told of in the audit log when it is set', async () => {
    const { body } = await webhook.api('GET', '/api/audit?limit=50');
    expect(body.items.some((it: Json) => it.action === 'encryption.change')).toBe(true);
  });
});

describe('whose key is used', () => {
  test('only that of a certificate of our CA, for this very device, of P-256, that has not ended', async () => {
    const { X509Certificate } = await import('node:crypto');
    const issuing = [new X509Certificate(ca.pem)];
    const keys = await makeKeys();
    const of = async (name: string, key = keys.publicKey, days = 1) =>
      certify(name, key, ca.keys.privateKey, 'Issuing', days);
    const at = { deviceId: 'dev-1', issuing };
    const raw = Buffer.from(await webcrypto.subtle.exportKey('raw', keys.publicKey));
    expect(deviceKeyOf(await of('dev-1'), at)).toEqual(raw);
    expect(deviceKeyOf(await of('dev-2'), at)).toBeNull();
    expect(deviceKeyOf(await of('dev-1', (await makeKeys('P-384')).publicKey), at)).toBeNull();
    expect(deviceKeyOf(await of('dev-1'), { ...at, now: Date.now() + 2 * 86_400_000 })).toBeNull();
    expect(deviceKeyOf(await of('dev-1'), { ...at, issuing: [] })).toBeNull();
    expect(deviceKeyOf('no certificate', at)).toBeNull();
  });
});

describe('master keys', () => {
  const [one, other] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];
  const key = randomBytes(32);
  const [image, another] = ['11'.repeat(32), '22'.repeat(32)];

  test('open what they or an older one of the setting have wrapped, for the same object only', () => {
    const wrapped = readMasterKeys(one).wrap(key, image);
    expect(readMasterKeys(`${other},${one}`).unwrap(wrapped, image)).toEqual(key);
    expect(() => readMasterKeys(other).unwrap(wrapped, image)).toThrow('not set here');
    expect(() => readMasterKeys(one).unwrap(wrapped, another)).toThrow();
    expect(() => readMasterKeys(one).unwrap(`${wrapped.slice(0, -2)}AA`, image)).toThrow();
    expect(readMasterKeys(one).wrap(key, image)).not.toBe(wrapped);
  });

  test('are 32 bytes each', () => {
    expect(() => readMasterKeys('c2hvcnQ=')).toThrow('32 random bytes');
  });
});
