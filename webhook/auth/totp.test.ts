import { expect, test } from 'vitest';
import { codeOf, findStep, fromBase32, makeTotpSecret, stepAt, toBase32, uriOf } from './totp.ts';

/** RFC 6238, appendix B: the secret of its vectors for SHA-1. */
const secret = toBase32(Buffer.from('12345678901234567890'));

test.each([
  [59, '94287082'],
  [1111111109, '07081804'],
  [1111111111, '14050471'],
  [1234567890, '89005924'],
  [2000000000, '69279037'],
  [20000000000, '65353130'],
])('at %i s the code is that of RFC 6238', (seconds, code) => {
  expect(codeOf(secret, stepAt(seconds * 1000), 8)).toBe(code);
});

test.each([
  ['', ''],
  ['f', 'MY'],
  ['fo', 'MZXQ'],
  ['foo', 'MZXW6'],
  ['foob', 'MZXW6YQ'],
  ['fooba', 'MZXW6YTB'],
  ['foobar', 'MZXW6YTBOI'],
])('%j in base 32 is that of RFC 4648, without its padding', (text, encoded) => {
  expect(toBase32(Buffer.from(text))).toBe(encoded);
  expect(fromBase32(encoded).toString()).toBe(text);
});

test('a code is good for one step more and less, and for no other', () => {
  const now = 1_700_000_000_000;
  const of = (step: number) => findStep(secret, codeOf(secret, stepAt(now) + step), now);
  expect([-2, -1, 0, 1, 2].map(of)).toEqual([null, stepAt(now) - 1, stepAt(now), stepAt(now) + 1, null]);
});

test('an authenticator reads the account, and each secret is another of 160 bits', () => {
  expect(uriOf('ABC', 'a+b@example.com')).toBe(
    'otpauth://totp/Flota:a%2Bb%40example.com?secret=ABC&issuer=Flota',
  );
  expect(fromBase32(makeTotpSecret())).toHaveLength(20);
  expect(makeTotpSecret()).not.toBe(makeTotpSecret());
});
