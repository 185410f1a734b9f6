import { expect, it } from 'vitest';
import { wallTimeMs } from './wall-time.ts';

it.each([
  ['2026-05-01T09:30', 'Asia/Seoul', '2026-05-01T00:30:00.000Z'],
  ['2026-05-01T09:30', 'America/New_York', '2026-05-01T13:30:00.000Z'],
  ['2026-05-01T09:30', 'Asia/Kathmandu', '2026-05-01T03:45:00.000Z'],
  ['2026-05-01T09:30', 'UTC', '2026-05-01T09:30:00.000Z'],
  // An hour after the clocks went on, and two before they go back.
  ['2026-03-29T03:00', 'Europe/Madrid', '2026-03-29T01:00:00.000Z'],
  ['2026-10-25T01:00', 'Europe/Madrid', '2026-10-24T23:00:00.000Z'],
])('%s in %s', (text, zone, at) => {
  expect(new Date(wallTimeMs(text, zone)).toISOString()).toBe(at);
});

it('is none for what is not a time', () => {
  expect([wallTimeMs('', 'UTC'), wallTimeMs('soon', 'Asia/Seoul')]).toEqual([Number.NaN, Number.NaN]);
});
