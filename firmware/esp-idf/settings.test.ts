import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { program } from '#deploy/lab/primitives/programs.js';
import { type Identity, openSettings } from './settings.ts';

const dir = mkdtempSync(join(tmpdir(), 'flota-settings-'));
afterAll(() => rmSync(dir, { recursive: true }));
const jwk = {
  ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }),
  kid: 'k1',
};
const keys = join(dir, 'keys.json');
const trust = join(dir, 'root.pem');
writeFileSync(keys, JSON.stringify({ keys: [jwk] }));
writeFileSync(trust, '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n');
const good = {
  'wifi-ssid': 'plant, "north"',
  mqtt: 'mqtts://broker.example:8883',
  enroll: 'https://flota.example/api/issue_cert',
  trust,
  keys,
};

const imageOf = (shared = good, id = 'crow-1', secret: { token: string } | Identity = { token: 't0k' }) =>
  openSettings(shared)(id, secret);

/** Of an image: entries by key, each its type and what follows it; enough for texts that lie in one page, and for the first chunk of a blob. */
function read(image: Buffer): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (let page = 0; page < image.length && image[page] !== 0xff; page += 4096) {
    for (let at = page + 64; at < page + 4096 && image[at + 1] !== 0xff; at += 32 * image[at + 2]!) {
      const key = image.toString('latin1', at + 8, at + 24).replace(/\0+$/, '');
      if (!found.has(key)) found.set(key, image.subarray(at + 32, at + 32 + image.readUInt16LE(at + 24)));
    }
  }
  return found;
}
const text = (image: Buffer, key: string) => read(image).get(key)?.toString().replace(/\0$/, '');

it('every setting that the firmware reads is in the image, and no other', () => {
  const source = readFileSync(new URL('flota/src/settings.c', import.meta.url), 'utf8');
  const wanted = [...source.matchAll(/^ {6}\{"(\w+)", settings->/gm)].map((match) => match[1]!);
  expect(wanted.length).toBeGreaterThan(5);
  expect([...read(imageOf()).keys()].sort()).toEqual(
    [...wanted, 'settings', 'key0_kid', 'key0_xy', 'wifi_password', 'wifi_ssid'].sort(),
  );
});

it('a key is x and y in hex', () => {
  const xy = ['x', 'y'].map((name) => Buffer.from(jwk[name as 'x']!, 'base64url').toString('hex')).join('');
  expect(text(imageOf(), 'key0_xy')).toBe(xy);
  expect(text(imageOf(), 'wifi_ssid')).toBe('plant, "north"');
});

it('an identity is what the firmware keeps: struct identity_pair, the renewal under way empty', () => {
  const header = readFileSync(new URL('flota/src/identity.h', import.meta.url), 'utf8');
  const [key, certificates] = ['KEY', 'CERTIFICATES'].map((name) =>
    Number(new RegExp(`IDENTITY_${name}_BYTES = (\\d+)`).exec(header)![1]),
  );
  const image = imageOf(good, 'crow-1', { key: 'the key', certificates: 'leaf and issuing CA' });
  const blob = read(image).get('identity')!;
  expect(blob.toString('latin1', 0, 8)).toBe('the key\0');
  expect(blob.toString('latin1', key!, key! + 20)).toBe('leaf and issuing CA\0');
  const whole = Buffer.alloc(8);
  whole.writeUInt32LE(2 * (key! + certificates!));
  // The index of its chunks, which tells its size.
  expect(
    image.includes(Buffer.concat([Buffer.from('identity'.padEnd(16, '\0')), whole.subarray(0, 4)])),
  ).toBe(true);
  expect(text(image, 'token')).toBe('');
});

it('plain addresses, bad ids, no token, keys that are too many and a trust that is no certificate are refused', () => {
  expect(() => imageOf({ ...good, mqtt: 'mqtt://broker.example' })).toThrow();
  expect(() => imageOf({ ...good, enroll: 'http://flota.example/api/issue_cert' })).toThrow();
  expect(() => imageOf(good, 'a b')).toThrow();
  expect(() => imageOf(good, 'crow-1', { token: '' })).toThrow();
  expect(() => imageOf(good, 'crow-1', { key: 'k'.repeat(384), certificates: 'c' })).toThrow();
  expect(() => imageOf({ ...good, trust: keys })).toThrow();
  const three = join(dir, 'three.json');
  writeFileSync(three, JSON.stringify({ keys: [jwk, jwk, jwk] }));
  expect(() => imageOf({ ...good, keys: three })).toThrow();
});

it('is written for its owner only, also over a file that everybody may read', () => {
  const out = join(dir, 'settings.bin');
  writeFileSync(out, '', { mode: 0o644 });
  const options = Object.entries({ ...good, id: 'crow-1', token: 't0k', out }).flatMap(([name, value]) => [
    `--${name}`,
    value,
  ]);
  const path = fileURLToPath(new URL('settings.ts', import.meta.url));
  execFileSync(process.execPath, [...program(path), ...options]);
  expect(statSync(out).mode & 0o777).toBe(0o600);
  expect(readFileSync(out)).toEqual(imageOf());
});
