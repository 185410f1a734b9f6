import { expect, it } from 'vitest';
import { byDay, dayOf, daysOf, isMonth, monthAfter, spanOf } from './month.ts';

it('has whole weeks, from Sunday to Saturday', () => {
  const december = daysOf('2026-12');
  expect([december.length, december[0], december.at(-1)]).toEqual([35, '2026-11-29', '2027-01-02']);
  // February 2026 begins on a Sunday and ends on a Saturday.
  expect(daysOf('2026-02')).toHaveLength(28);
  expect(daysOf('2026-08')).toHaveLength(42);
  expect(spanOf(december)).toEqual({ from: '2026-11-28T00:00:00.000Z', to: '2027-01-04T00:00:00.000Z' });
});

it('goes over the turn of a year, and knows a month from other texts', () => {
  expect([monthAfter('2026-12', 1), monthAfter('2026-01', -1)]).toEqual(['2027-01', '2025-12']);
  expect(['2026-12', '2026-13', '26-1', '', '2026-1'].map(isMonth)).toEqual([
    true,
    false,
    false,
    false,
    false,
  ]);
});

it('puts things on the days of the zone, to the last moment of the last', () => {
  const days = daysOf('2026-12');
  // From 24 December to 2 January in Madrid.
  const freeze = { startsAt: '2026-12-23T23:00:00.000Z', endsAt: '2027-01-02T23:00:00.000Z' };
  const on = (zone: string) =>
    [...byDay([freeze], days, 0, zone)].filter(([, things]) => things.length > 0).map(([day]) => day);
  expect([on('Europe/Madrid')[0], on('Europe/Madrid').length]).toEqual(['2026-12-24', 10]);
  expect([on('UTC')[0], on('UTC').at(-1)]).toEqual(['2026-12-23', '2027-01-02']);
  expect(dayOf('2026-12-23T23:00:00.000Z', 'Asia/Seoul')).toBe('2026-12-24');
});

it('lets what has not ended go on until now, and what has not begun stand on its day', () => {
  const days = daysOf('2026-12');
  const now = Date.parse('2026-12-05T12:00:00Z');
  const on = (startsAt: string) =>
    [...byDay([{ startsAt, endsAt: null }], days, now, 'UTC')].flatMap(([day, { length }]) =>
      length ? [day] : [],
    );
  expect(on('2026-12-03T08:00:00Z')).toEqual(['2026-12-03', '2026-12-04', '2026-12-05']);
  expect(on('2026-12-10T08:00:00Z')).toEqual(['2026-12-10']);
});
