import { describe, expect, test } from 'vitest';
import { isOpen, type MaintenanceWindow, momentOf, nextOpening, weekdays } from './window.ts';

const daily = (from: string, to: string): MaintenanceWindow => ({ from, to, days: [...weekdays] });
const at = (text: string) => Date.parse(text);
const minuteMs = 60_000;

describe('a window', () => {
  const nights: MaintenanceWindow = { from: '22:00', to: '04:00', days: ['fri'] };
  test.each<[string, MaintenanceWindow, string, string, boolean]>([
    ['opens at its first minute', daily('02:00', '04:00'), 'UTC', '2026-03-10T02:00:00Z', true],
    ['is closed before it', daily('02:00', '04:00'), 'UTC', '2026-03-10T01:59:59Z', false],
    ['is closed at its end', daily('02:00', '04:00'), 'UTC', '2026-03-10T04:00:00Z', false],
    ['is open until then', daily('02:00', '04:00'), 'UTC', '2026-03-10T03:59:59Z', true],
    ['goes by the zone', daily('02:00', '04:00'), 'Asia/Kolkata', '2026-03-09T20:30:00Z', true],
    ['of another zone is closed', daily('02:00', '04:00'), 'Asia/Kolkata', '2026-03-10T02:00:00Z', false],
    ['past midnight opens on its day', nights, 'UTC', '2026-03-13T23:00:00Z', true],
    ['past midnight goes on into the next', nights, 'UTC', '2026-03-14T03:59:00Z', true],
    ['past midnight has no evening there', nights, 'UTC', '2026-03-14T22:30:00Z', false],
    ['past midnight has no morning on its own day', nights, 'UTC', '2026-03-13T03:00:00Z', false],
    ['of equal ends is a whole day', daily('05:00', '05:00'), 'UTC', '2026-03-13T04:59:00Z', true],
    [
      'of equal ends ends',
      { from: '05:00', to: '05:00', days: ['fri'] },
      'UTC',
      '2026-03-14T05:00:00Z',
      false,
    ],
    [
      'is an hour earlier by UTC in summer',
      daily('02:00', '04:00'),
      'Europe/Madrid',
      '2026-07-01T00:00:00Z',
      true,
    ],
    [
      'is not open at winter’s time in summer',
      daily('02:00', '03:00'),
      'Europe/Madrid',
      '2026-07-01T01:30:00Z',
      false,
    ],
  ])('%s', (_, window, zone, moment, open) => {
    expect(isOpen(window, zone, at(moment))).toBe(open);
  });

  test('is open in both hours that there are when the clocks go back', () => {
    const open = ['00:15', '01:15', '02:15'].map((time) =>
      isOpen(daily('02:00', '03:00'), 'Europe/Madrid', at(`2026-10-25T${time}:00Z`)),
    );
    expect(open).toEqual([true, true, false]);
  });
});

describe('the next opening', () => {
  test.each<[string, MaintenanceWindow, string, string, string]>([
    [
      'is now while it is open',
      daily('02:00', '04:00'),
      'UTC',
      '2026-03-10T03:00:00Z',
      '2026-03-10T03:00:00Z',
    ],
    ['is later today', daily('02:00', '04:00'), 'UTC', '2026-03-10T01:00:00Z', '2026-03-10T02:00:00Z'],
    ['is tomorrow', daily('02:00', '04:00'), 'UTC', '2026-03-10T05:00:00Z', '2026-03-11T02:00:00Z'],
    [
      'is next week',
      { from: '02:00', to: '04:00', days: ['tue'] },
      'UTC',
      '2026-03-10T05:00:00Z',
      '2026-03-17T02:00:00Z',
    ],
    [
      'counts the hour that was skipped',
      daily('04:00', '05:00'),
      'Europe/Madrid',
      '2026-03-28T12:00:00Z',
      '2026-03-29T02:00:00Z',
    ],
    [
      'begins where the skipped hour ends',
      daily('02:00', '04:00'),
      'Europe/Madrid',
      '2026-03-28T12:00:00Z',
      '2026-03-29T01:00:00Z',
    ],
    [
      'leaves out what lies in the skipped hour',
      daily('02:10', '02:50'),
      'Europe/Madrid',
      '2026-03-28T12:00:00Z',
      '2026-03-30T00:10:00Z',
    ],
    [
      'is the first of the two',
      daily('02:00', '03:00'),
      'Europe/Madrid',
      '2026-10-24T12:00:00Z',
      '2026-10-25T00:00:00Z',
    ],
    [
      'is west of the date line',
      daily('00:00', '01:00'),
      'Pacific/Kiritimati',
      '2026-03-10T12:00:00Z',
      '2026-03-11T10:00:00Z',
    ],
  ])('%s', (_, window, zone, now, next) => {
    expect(new Date(nextOpening(window, zone, at(now))!).toISOString()).toBe(new Date(next).toISOString());
  });

  test('is never late: no minute before it is open, in a year of every kind of clock', () => {
    const zones = ['UTC', 'Europe/Madrid', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe'];
    for (const [i, zone] of zones.entries()) {
      const window: MaintenanceWindow = { from: '23:30', to: '02:15', days: ['sat', 'sun', 'wed'] };
      for (let week = 0; week < 52; week++) {
        const now = at('2026-01-01T03:07:00Z') + week * 7 * 86_400_000 + i * 3_600_000;
        const next = nextOpening(window, zone, now)!;
        expect(isOpen(window, zone, next)).toBe(true);
        for (let t = now; t < next; t += 10 * minuteMs) expect(isOpen(window, zone, t)).toBe(false);
        if (next > now) expect(isOpen(window, zone, next - minuteMs)).toBe(false);
      }
    }
  });
});

test('a day begins when the wall clock first shows it, or when the clocks have been put over its midnight', () => {
  const begins = (zone: string, local: string) =>
    new Date(momentOf(zone, Date.parse(`${local}Z`))).toISOString();
  expect(begins('Asia/Seoul', '2026-12-24T00:00')).toBe('2026-12-23T15:00:00.000Z');
  // From midnight to one: there is no 00:00 that day.
  expect(begins('Asia/Beirut', '2021-03-28T00:00')).toBe('2021-03-27T22:00:00.000Z');
  // 02:30 comes twice.
  expect(begins('Europe/Madrid', '2026-10-25T02:30')).toBe('2026-10-25T00:30:00.000Z');
});
