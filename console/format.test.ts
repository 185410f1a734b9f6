import { expect, it } from 'vitest';
import { formatAgo, formatBytes, formatDuration, formatMoney, formatRate, formatShare } from './format.ts';

it('writes sizes in the largest unit that leaves at least one, with a decimal below 100', () => {
  expect(
    [0, 999, 1023, 1024, 1536, 102_400, 1_048_575, 5 * 1024 ** 2, 3.25 * 1024 ** 3].map((n) =>
      formatBytes('en', n),
    ),
  ).toEqual(['0 B', '999 B', '1,023 B', '1.0 KiB', '1.5 KiB', '100 KiB', '1.0 MiB', '5.0 MiB', '3.3 GiB']);
  expect(formatRate('en', 2048)).toBe('2.0 KiB/s');
});

it('writes money as its currency is written', () => {
  expect(formatMoney('en', 1234.5, 'USD')).toBe('$1,234.50');
  expect(formatMoney('ko', 1234.5, 'KRW')).toBe('₩1,235');
});

it('never rounds a share up to a whole that it is not', () => {
  expect([0, 0.9234, 0.99999, 1].map((share) => formatShare('en', share))).toEqual([
    '0%',
    '92.3%',
    '99.9%',
    '100%',
  ]);
});

it('writes durations in two units at most, in both languages', () => {
  expect(
    [0, 850, 4200, 59_960, 90_000, 3_600_000, 7_380_000, 187_200_000].map((ms) => formatDuration('en', ms)),
  ).toEqual(['0ms', '850ms', '4.2s', '1m', '1m 30s', '1h', '2h 3m', '2d 4h']);
  expect(formatDuration('ko', 90_000)).toBe('1분 30초');
});

it('tells times relative to now, past and future', () => {
  const now = Date.parse('2026-01-10T12:00:00Z');
  const told = (at: string) => formatAgo('en', at, now);
  expect(told('2026-01-10T12:00:00Z')).toBe('now');
  expect(told('2026-01-10T11:57:30Z')).toBe('2 minutes ago');
  expect(told('2026-01-10T09:00:00Z')).toBe('3 hours ago');
  expect(told('2026-01-18T12:00:00Z')).toBe('in 8 days');
  expect(told('2023-01-10T12:00:00Z')).toBe('3 years ago');
  expect(told('2026-04-10T11:00:00Z')).toBe('in 3 months');
  expect(formatAgo('ko', '2026-01-10T11:57:30Z', now)).toBe('2분 전');
});
