import { expect, test } from 'vitest';
import { isStillTheAnswer, renewableFrom } from './renewal-rules.ts';

const day = 86_400_000;
const lifetime = (days: number) => ({ notBefore: new Date(0), notAfter: new Date(days * day) });

test.each([
  [365, 335],
  [90, 60],
  [60, 40],
  [3, 2],
])('a certificate of %i days may be renewed from day %i on', (days, from) => {
  expect(renewableFrom(lifetime(days)).getTime() / day).toBeCloseTo(from);
});

test('the same CSR gets the same certificate in the first half of its life', () => {
  const certificate = { ...lifetime(90), issuedAt: new Date(10 * day) };
  expect([49, 51].map((at) => isStillTheAnswer(certificate, at * day))).toEqual([true, false]);
});
