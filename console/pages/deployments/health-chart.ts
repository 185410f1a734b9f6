import type { Chart, HealthJudgement } from '../../api.ts';

/** The difference as a line, its confidence sequence as a band. Each look is at a window that ends with it: the axis begins with the first. */
export function toChart(mine: HealthJudgement[], windowMs: number): Chart {
  const from = new Date(Date.parse(mine[0]!.at) - windowMs).toISOString();
  return {
    ...{ from, to: mine.at(-1)!.at, bucketMs: windowMs },
    points: mine.map(({ at, low, difference, high }) => ({
      ...{ at, min: low, avg: difference, max: high, count: 1 },
    })),
  };
}
