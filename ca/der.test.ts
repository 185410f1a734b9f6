import { describe, expect, it } from 'vitest';
import { parseDer } from './der.ts';

const check = (hex: string) => () => parseDer(new Uint8Array(Buffer.from(hex, 'hex')));

describe('parseDer', () => {
  it.each(['0500', '3000', '30053003020101', `308180047e${'00'.repeat(126)}`])('accepts %s', (hex) => {
    expect(check(hex)).not.toThrow();
  });

  it.each([
    ['nothing', ''],
    ['an indefinite length', '30800000'],
    ['a length in the long form that fits the short', '308103020101'],
    ['a length with a leading zero', `30820080047e${'00'.repeat(126)}`],
    ['a length of four octets', '308400000000'],
    ['a cut off length', '3082'],
    ['a cut off value', '300302'],
    ['a child longer than its parent', '3003020201'],
    ['bytes after its end', '050000'],
    ['a BMPString of half a character', '1e0161'],
    ['a string in pieces', '240304010a'],
    ['a long form inside', '3004028101' + '01'],
    ['two elements', '05000500'],
    ['a high tag number', '1f1f00'],
    [
      'deep nesting',
      Array.from({ length: 40 }, (_, i) => `30${(78 - 2 * i).toString(16).padStart(2, '0')}`).join(''),
    ],
    ['more elements than anybody needs', `30820fa2${'0500'.repeat(2001)}`],
  ])('refuses %s', (_, hex) => {
    expect(check(hex)).toThrowError(expect.objectContaining({ code: 'csr_malformed' }));
  });
});
