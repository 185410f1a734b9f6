import { expect, test } from 'vitest';
import { findSuperseded, type Held, settleMs } from './superseding-rules.ts';

const now = Date.now();
const ago = (ms: number) => new Date(now - ms);
const held = (serial: string, issuedAgoMs: number, seenAgoMs: number | null = null): Held => ({
  ...{ serial, issuedAt: ago(issuedAgoMs), revoked: false },
  firstSeenAt: seenAgoMs === null ? null : ago(seenAgoMs),
});
const old = held('OLD', 9e8, 9e8);
const lost = held('LOST', 5e7);
const used = held('NEW', 4e7, settleMs);
const next = held('NEXT', 1e6);

test('what is older than the certificate in use goes, seen or not; that one and younger ones stay', () => {
  expect(findSuperseded([next, used, lost, old], 'NEW', now)).toEqual(['LOST', 'OLD']);
});

test('nothing goes before the new one was used, nor in the first minutes after', () => {
  expect(findSuperseded([old, held('NEW', 4e7)], 'OLD', now)).toEqual([]);
  expect(findSuperseded([old, held('NEW', 4e7)], 'NEW', now)).toEqual([]);
  expect(findSuperseded([old, held('NEW', 4e7, settleMs - 1)], 'NEW', now)).toEqual([]);
});

test('a device that is back with its old pair keeps both', () => {
  expect(findSuperseded([old, used], 'OLD', now)).toEqual([]);
});

test('nothing goes for a connection whose certificate is unknown, missing or revoked', () => {
  expect(findSuperseded([old, used], 'FOREIGN', now)).toEqual([]);
  expect(findSuperseded([old, used], null, now)).toEqual([]);
  expect(findSuperseded([old, { ...used, revoked: true }], 'NEW', now)).toEqual([]);
});

test('what is revoked already is not named again', () => {
  expect(findSuperseded([{ ...old, revoked: true }, used], 'NEW', now)).toEqual([]);
});
