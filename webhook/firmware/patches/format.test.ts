import { describe, expect, test } from 'vitest';
import { applyPatch } from './apply.ts';
import { makePatch } from './format.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const of = hex('01 02 03 04 05 06 07 08');
const makes = hex('02 03 04 05 06 07 08 09');

describe('the format', () => {
  test.each([
    ['none', '00 03 00 03 01 01 01 00 00', hex('01 02 03'), hex('02 03 04')],
    ['crle', '02 08 00 02 00 08 01 08 01 00 02 00 00', of, makes],
    ['heatshrink', '04 08 61 80 42 20 20 01 a0 10 00', of, makes],
  ])('applies the vector of %s', (_, patch, old, next) => {
    expect(Buffer.from(applyPatch(old, hex(patch)))).toEqual(next);
  });

  test.each([
    ['in place', '10 01 00'],
    ['compressed by lzma', '01 01 00'],
    ['cut off', '00 03 00 03 01'],
    ['longer than the image', '00 03 00 04 01 01 01 01'],
    ['that rewrites code', '00 03 01 03 01 01 01 00 00'],
    ['that stands for too much', '02 08 01 ff ff ff 7f 00'],
  ])('a patch %s is none', (_, patch) => {
    expect(() => applyPatch(of, hex(patch))).toThrow(RangeError);
  });
});

test('images that have nothing in common, are equal, or have a byte, are made as well', () => {
  const noise = Buffer.from(Array.from({ length: 3_000 }, (_, i) => (i * 2_654_435_761) >>> 24));
  for (const [old, next] of [
    [Buffer.alloc(500, 1), noise],
    [noise, noise],
    [noise, Buffer.alloc(1)],
    [Buffer.alloc(1), noise],
    [Buffer.alloc(5_000), Buffer.alloc(9_000)],
  ] as const)
    expect(Buffer.compare(applyPatch(old, makePatch(old, next)), next)).toBe(0);
});
