import { describe, expect, test } from 'vitest';
import { randomOf } from '#deploy/lab/primitives/random.ts';
import { compare, type Observation } from './comparison.ts';
import { halfWidth, tuneMixture } from './sequence.ts';
import type { Signal } from './signals.ts';
import { judge } from './verdict.ts';

const normals = (seed: number) => {
  const random = randomOf(seed);
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
};

test('an interval holds at all looks together, so often as was promised', () => {
  const [alpha, walks, looks] = [0.05, 2_000, 400];
  const mixture = tuneMixture(40, alpha);
  const missed = (drift: number) => {
    let n = 0;
    for (let walk = 1; walk <= walks; walk++) {
      const normal = normals(walk);
      let [sum, out] = [0, false];
      for (let look = 1; look <= looks; look++) {
        sum += drift + normal();
        if (Math.abs(sum / look - drift) > halfWidth(1 / look, mixture, alpha)) out = true;
      }
      if (out) n++;
    }
    return n / walks;
  };
  expect(missed(0)).toBeLessThan(alpha);
  // Not by being as wide as one likes: a fixed interval of 95 % at each look is missed by half of the walks.
  expect(missed(0)).toBeGreaterThan(alpha / 10);
  expect(halfWidth(1 / 40, mixture, alpha)).toBeLessThan(3.5 / Math.sqrt(40));
});

const group = (
  treated: boolean,
  devices: number,
  of: (i: number) => { before: number; after: number },
  weight = 10,
) =>
  Array.from({ length: devices }, (_, i): Observation => {
    const { before, after } = of(i);
    return { treated, before, sum: after * weight, weight };
  });

describe('a comparison', () => {
  test('is of changes: devices that always were bad, and a bad day of all, do not count', () => {
    const normal = normals(1);
    const level = (i: number) => i * 100;
    const badDay = 50;
    const found = compare([
      ...group(true, 40, (i) => ({ before: level(i), after: level(i) + badDay + 7 + normal() })),
      ...group(false, 40, (i) => ({ before: level(2 * i), after: level(2 * i) + badDay + normal() })),
    ])!;
    expect(Math.abs(found.difference - 7)).toBeLessThan(1);
    expect(Math.sqrt(found.variance)).toBeLessThan(0.5);
  });

  test('weighs a device by how long it was seen', () => {
    const found = compare([
      ...group(true, 2, () => ({ before: 0, after: 1 }), 1),
      ...group(true, 2, () => ({ before: 0, after: 4 }), 2),
      ...group(false, 2, () => ({ before: 0, after: 0 })),
    ])!;
    expect(found.difference).toBeCloseTo((2 * 1 + 2 * 2 * 4) / (2 + 4));
  });

  test('takes few devices to which nothing has happened yet for as noisy as the control group', () => {
    const found = compare([
      ...group(true, 10, () => ({ before: 0, after: 0 })),
      ...group(false, 1_000, (i) => ({ before: 0, after: i % 10 ? 0 : 1 })),
    ])!;
    expect(found.variance).toBeGreaterThan(0.09 / 10);
  });

  test('knows from how many devices its noise comes', () => {
    const happens = (to: number) => (i: number) => ({ before: 0, after: i < to ? 1 : 0 });
    const of = (events: number) =>
      compare([...group(true, 100, happens(events)), ...group(false, 100, happens(events))])!;
    expect(of(3).effective).toBeCloseTo(3, 0);
    expect(of(20).effective).toBeGreaterThan(of(3).effective);
  });

  test('is none with one device on a side', () => {
    expect(
      compare([
        ...group(true, 1, () => ({ before: 0, after: 1 })),
        ...group(false, 9, () => ({ before: 0, after: 1 })),
      ]),
    ).toBeNull();
  });
});

describe('a verdict', () => {
  const lower: Signal = { kind: 'offline', marginPercent: 10 };
  const higher: Signal = { kind: 'heap', marginPercent: 10 };
  const found = (signal: Signal, change: number, devices = 200, noise = 1) => {
    const normal = normals(3);
    const of = (more: number) => () => ({ before: 100, after: 100 + more + noise * normal() });
    const observations = [...group(true, devices, of(change)), ...group(false, devices, of(0))];
    return judge(signal, { signals: [signal], minDevices: 30 }, observations, null);
  };

  test('is worse when all of the interval is beyond the margin, whichever way is worse', () => {
    expect(found(lower, 20)?.verdict).toBe('worse');
    expect(found(higher, -20)?.verdict).toBe('worse');
    expect(found(lower, -20)?.verdict).toBe('better');
    expect(found(higher, 20)?.verdict).toBe('better');
  });

  test('is no worse when all of it is within, and undecided until then', () => {
    expect(found(lower, 2)?.verdict).toBe('no_worse');
    expect(found(higher, -2)?.verdict).toBe('no_worse');
    expect(found(lower, 10)?.verdict).toBe('undecided');
    expect(found(lower, 20, 40, 30)?.verdict).toBe('undecided');
  });

  test('is none of too few devices', () => {
    expect(found(lower, 20, 29)).toBeNull();
    expect(found(lower, 20, 30)).not.toBeNull();
  });

  test('keeps the mixture of its first look', () => {
    const first = found(lower, 2)!;
    const normal = normals(3);
    const more = () => ({ before: 100, after: 100 + normal() });
    const observations = [...group(true, 900, more), ...group(false, 900, more)];
    const later = judge(lower, { signals: [lower], minDevices: 30 }, observations, first.mixture)!;
    expect(later.mixture).toBe(first.mixture);
    expect(later.high - later.low).toBeLessThan(first.high - first.low);
  });

  test('of many signals takes more to be worse than of one', () => {
    const of = (signals: Signal[]) => {
      const normal = normals(5);
      const noisy = () => ({ before: 100, after: 100 + normal() });
      const observations = [...group(true, 100, noisy), ...group(false, 100, noisy)];
      const { low, high } = judge(lower, { signals, minDevices: 30 }, observations, 1)!;
      return high - low;
    };
    expect(of([lower, lower, lower, lower])).toBeGreaterThan(of([lower]));
  });
});
