import { expect, it } from 'vitest';
import type { HealthJudgement } from '../../api.ts';
import { toChart } from './health-chart.ts';

it('the axis is as long as what was looked at, also after one look', () => {
  const look = { at: '2026-11-30T08:00:10.000Z', low: -43, difference: -40, high: -37 } as HealthJudgement;
  const chart = toChart([look], 1_000);
  expect([chart.from, chart.to]).toEqual(['2026-11-30T08:00:09.000Z', look.at]);
  expect(chart.points).toEqual([{ at: look.at, min: -43, avg: -40, max: -37, count: 1 }]);
});
