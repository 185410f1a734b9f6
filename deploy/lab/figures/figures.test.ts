import { expect, test } from 'vitest';
import { describeChange, type Figure } from './figures.ts';

const figure = (change: Partial<Figure> = {}): Figure => ({
  ...{ value: 10, unit: 'things/s', baseline: 5, ratio: 2, aim: null },
  ...change,
});

test('a figure is compared with what it was, and only when it was the same thing', () => {
  expect(
    describeChange(figure({ value: 12, ratio: 2.5, processorUs: 90 }), figure({ processorUs: 100 })),
  ).toBe('value 10 → 12, ratio 2 → 2.5 (+25 %), processor time 100 → 90 µs (-10 %)');
  expect(describeChange(figure(), figure({ processorUs: 100 }))).toBe('value 10 → 10, ratio 2 → 2 (+0 %)');
  expect(describeChange(figure(), undefined)).toBe('new');
  expect(describeChange(figure(), figure({ unit: 'ms' }))).toBe('not comparable: it was measured as "ms"');
});
