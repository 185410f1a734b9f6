import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { type NvsEntries, type NvsError, nvsImage } from './nvs.ts';

const bytes = 0x21000;
const digestOf = (entries: NvsEntries) => createHash('sha256').update(nvsImage(bytes, entries)).digest('hex');

// The digests are those of what ESP-IDF's tool writes (esp-idf-nvs-partition-gen 0.3.0 of PyPI) from the same names and values.
it('writes a device’s settings and identity as ESP-IDF’s tool does', () => {
  const settings = { id: 'dev-1', wifi_ssid: 'plant, "north"', trust: 'T'.repeat(3000), token: '' };
  const identity = Buffer.from(Array.from({ length: 8960 }, (_, i) => i % 251));
  expect(digestOf({ settings, flota: { identity } })).toBe(
    '131cffe9be901a2f18214a622f1519ecd8a76ba08d0dbaa6400c330c11b6f32d',
  );
});

it('turns its pages where the tool does: a blob that ends with its page or has no room but a header, texts that do not fit', () => {
  const a = {
    blob: Buffer.alloc(122 * 32, 7),
    after: Buffer.alloc(40, 1),
    text: 'é'.repeat(1900),
    last: 'x',
  };
  const b = { t0: 'y'.repeat(3000), t1: 'z'.repeat(1000), t2: 'w', big: Buffer.alloc(4096 * 2, 9) };
  expect(digestOf({ a, b })).toBe('1e50e06216ce1be2a86a24555313c3a30a5a528fb1d55eac7460287f75d763fc');
});

it('says what does not fit', () => {
  const codeOf = (size: number, entries: NvsEntries) => {
    try {
      nvsImage(size, entries);
      return null;
    } catch (error) {
      return (error as NvsError).code;
    }
  };
  expect(codeOf(0x3000, { a: { b: Buffer.alloc(7_000) } })).toBeNull();
  expect(codeOf(0x3000, { a: { b: Buffer.alloc(9_000) } })).toBe('nvs_too_small');
  expect(codeOf(0x2000, {})).toBe('nvs_too_small');
  expect(codeOf(0x3100, {})).toBe('nvs_too_small');
  expect(codeOf(bytes, { a: { 'a-name-of-16-chr': 'x' } })).toBe('nvs_value_invalid');
  expect(codeOf(bytes, { a: { b: 'x'.repeat(3_968) } })).toBe('nvs_value_invalid');
  expect(codeOf(bytes, { a: { b: 'x\0y' } })).toBe('nvs_value_invalid');
});
