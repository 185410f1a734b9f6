import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { settingsCsv } from './settings.ts';

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
  id: 'crow-1',
  'wifi-ssid': 'plant, "north"',
  mqtt: 'mqtts://broker.example:8883',
  enroll: 'https://flota.example/api/issue_cert',
  token: 't0k',
  trust,
  keys,
};

it('every setting that the firmware reads is in the CSV, and no other', () => {
  const rows = settingsCsv(good).trim().split('\n').slice(2);
  const source = readFileSync(new URL('flota/src/settings.c', import.meta.url), 'utf8');
  const read = [...source.matchAll(/^ {6}\{"(\w+)", settings->/gm)].map((match) => match[1]!);
  expect(read.length).toBeGreaterThan(5);
  expect(rows.map((row) => row.split(',')[0]).sort()).toEqual(
    [...read, 'key0_kid', 'key0_xy', 'wifi_password', 'wifi_ssid'].sort(),
  );
});

it('a key is x and y in hex; commas and quotes are quoted', () => {
  const csv = settingsCsv(good);
  const xy = ['x', 'y'].map((name) => Buffer.from(jwk[name as 'x']!, 'base64url').toString('hex')).join('');
  expect(csv).toContain(`key0_xy,data,string,${xy}\n`);
  expect(csv).toContain('wifi_ssid,data,string,"plant, ""north"""\n');
  expect(csv).toContain(`trust,file,string,${trust}\n`);
});

it('plain addresses, bad ids, keys that are too many and a trust that is no certificate are refused', () => {
  expect(() => settingsCsv({ ...good, mqtt: 'mqtt://broker.example' })).toThrow();
  expect(() => settingsCsv({ ...good, enroll: 'http://flota.example/api/issue_cert' })).toThrow();
  expect(() => settingsCsv({ ...good, id: 'a b' })).toThrow();
  expect(() => settingsCsv({ ...good, trust: keys })).toThrow();
  const three = join(dir, 'three.json');
  writeFileSync(three, JSON.stringify({ keys: [jwk, jwk, jwk] }));
  expect(() => settingsCsv({ ...good, keys: three })).toThrow();
});
