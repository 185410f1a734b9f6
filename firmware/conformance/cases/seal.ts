/** Sealed objects, made here by the specification alone (`firmware/ENCRYPTION.md`), so that a device is not held to our own server's mistakes. */
import { strict as assert } from 'node:assert';
import { createCipheriv, createECDH, createHmac, randomBytes, X509Certificate } from 'node:crypto';
import { until } from '#deploy/lab/primitives/until.ts';
import type { Manifest } from '#emqx/protocol.ts';
import { cutAfter } from '../../virtual/bench/file-server.ts';
import type { Case } from '../case.ts';
import { kib, type Rig } from '../rig.ts';

const chunk = 4 * kib;
const sizeBytes = 100 * kib - 1;

function encrypt(key: Buffer, nonce: Buffer, plain: Buffer, extra: Buffer = Buffer.alloc(0)): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(extra);
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function seal(plain: Buffer, key: Buffer): Buffer {
  const header = Buffer.from(`464c4f544153450100001000${plain.length.toString(16).padStart(16, '0')}`, 'hex');
  const parts: Buffer[] = [header];
  for (let at = 0; at < plain.length; at += chunk) {
    const last = at + chunk >= plain.length ? 1 : 0;
    const nonce = Buffer.from(`${(at / chunk).toString(16).padStart(22, '0')}0${last}`, 'hex');
    parts.push(encrypt(key, nonce, plain.subarray(at, at + chunk), header));
  }
  return Buffer.concat(parts);
}

/** RFC 9180: the base mode of DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, for one message. */
function wrap(certificate: string, key: Buffer, deployment: string, sha256: string): string {
  const { x, y } = new X509Certificate(certificate).publicKey.export({ format: 'jwk' });
  const device = Buffer.concat([
    Buffer.from([4]),
    Buffer.from(x!, 'base64url'),
    Buffer.from(y!, 'base64url'),
  ]);
  const info = Buffer.concat([Buffer.from(`flota seal 1 ${deployment} `), Buffer.from(sha256, 'hex')]);
  const ephemeral = createECDH('prime256v1');
  const enc = ephemeral.generateKeys();
  const suites = {
    kem: Buffer.from('KEM\0\x10', 'latin1'),
    hpke: Buffer.from('HPKE\0\x10\0\x01\0\x02', 'latin1'),
  };
  type Bytes = Buffer | string;
  const hmac = (by: Bytes, ...parts: Bytes[]) =>
    parts.reduce((it, part) => it.update(part), createHmac('sha256', by)).digest();
  const extract = (suite: Buffer, salt: Bytes, label: string, ikm: Bytes) =>
    hmac(salt, 'HPKE-v1', suite, label, ikm);
  const expand = (suite: Buffer, prk: Buffer, label: string, context: Buffer, bytes: number) =>
    hmac(prk, Buffer.from([0, bytes]), 'HPKE-v1', suite, label, context, '\x01').subarray(0, bytes);
  const agreed = extract(suites.kem, '', 'eae_prk', ephemeral.computeSecret(device));
  const shared = expand(suites.kem, agreed, 'shared_secret', Buffer.concat([enc, device]), 32);
  const [psk, context] = [
    extract(suites.hpke, '', 'psk_id_hash', ''),
    extract(suites.hpke, '', 'info_hash', info),
  ];
  const all = Buffer.concat([Buffer.from([0]), psk, context]);
  const secret = extract(suites.hpke, shared, 'secret', '');
  const nonce = expand(suites.hpke, secret, 'base_nonce', all, 12);
  const sealed = encrypt(expand(suites.hpke, secret, 'key', all, 32), nonce, key);
  return `#seal1=${Buffer.concat([enc, sealed]).toString('base64url')}`;
}

/** What is on the file server is sealed from now on; the URL that brings its key to this device. */
function sealPublished(rig: Rig, manifest: Manifest, deployment = rig.deployment): string {
  const key = randomBytes(32);
  rig.files.image = seal(rig.files.image, key);
  return rig.files.url() + wrap(rig.lab.certificate, key, deployment, manifest.sha256);
}

export const sealCases: Case[] = [
  {
    name: 'a sealed image is opened with the key that its URL brings, and runs',
    short: true,
    needsSealed: true,
    async run(rig) {
      await rig.start();
      const manifest = rig.publish(sizeBytes);
      await rig.request(manifest, { url: sealPublished(rig, manifest) });
      await rig.succeeds(manifest);
      assert.ok(rig.files.requests.every(({ path }) => !path.includes('#') && !path.includes('seal')));
    },
  },
  {
    name: 'a sealed image goes on after kill -9 in the middle of it',
    needsSealed: true,
    async run(rig) {
      await rig.start();
      const manifest = rig.publish(sizeBytes);
      const honest = rig.files.always;
      rig.files.always = (exchange) => cutAfter(10 * kib)(exchange);
      await rig.request(manifest, { url: sealPublished(rig, manifest) });
      for (let kills = 0; kills < 3; kills++) {
        const seen = rig.files.requests.length;
        await until('another part', () => rig.files.requests.length > seen + 1, 15_000);
        await rig.device.powerOff();
        await rig.start();
      }
      rig.files.always = honest;
      const { stats } = await rig.succeeds(manifest);
      assert.ok((stats as { redownloadedBytes: number }).redownloadedBytes <= 3 * 64 * kib);
    },
  },
  {
    name: 'a sealed image with a bit flipped is not run',
    needsSealed: true,
    async run(rig) {
      await rig.start();
      const manifest = rig.publish(sizeBytes);
      const url = sealPublished(rig, manifest);
      rig.files.image[50 * kib]! ^= 1;
      await rig.request(manifest, { url });
      await rig.fails('download_failed');
    },
  },
  {
    name: 'the key of another deployment is not used, and another one is asked for',
    needsSealed: true,
    async run(rig) {
      await rig.start();
      const manifest = rig.publish(sizeBytes);
      const { image } = rig.files;
      const other = sealPublished(rig, manifest, '0f9c2f0e-3f43-4f5b-8f0a-0d6a5c1e2f31');
      await rig.request(manifest, { url: other });
      await rig.broker.see('firmware/download/progress', (it) => it.urlExpired === true, 15_000);
      assert.equal(rig.files.requests.length, 0, 'it downloads what it cannot open');
      rig.files.image = image;
      await rig.request(manifest, { url: sealPublished(rig, manifest) });
      await rig.succeeds(manifest);
    },
  },
];
