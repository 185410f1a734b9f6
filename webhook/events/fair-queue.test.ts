import { expect, test } from 'vitest';
import { createFairQueue } from './fair-queue.ts';

const fill = (queue: ReturnType<typeof createFairQueue<string>>, device: string, count: number) =>
  Array.from({ length: count }, (_, i) => queue.add(device, `${device}${i}`)).filter(Boolean).length;

test('turns go round the devices, and each one’s events keep their order', () => {
  const queue = createFairQueue<string>(1_000);
  fill(queue, 'loud', 50);
  fill(queue, 'b', 2);
  fill(queue, 'c', 1);
  expect(queue.take(6)).toEqual(['loud0', 'b0', 'c0', 'loud1', 'b1', 'loud2']);
  fill(queue, 'd', 1);
  expect(queue.take(3)).toEqual(['loud3', 'd0', 'loud4']);
  expect(queue.length).toBe(45);
  expect(queue.take(1_000)).toHaveLength(45);
  expect([queue.length, queue.take(5)]).toEqual([0, []]);
});

test('one device or ten that flood leave room for one that comes later', () => {
  for (const [loud, atMost] of [
    [1, 300],
    [10, 1_900],
  ] as const) {
    const queue = createFairQueue<string>(3_000);
    for (let i = 0; i < loud; i++) fill(queue, `loud-${i}-`, 3_000);
    expect(queue.length).toBeLessThan(atMost);
    expect(fill(queue, 'quiet', 10)).toBe(10);
    expect(queue.take(300)).toContain('quiet0');
  }
});

test('many devices with a few events each fill it whole, and no more', () => {
  const queue = createFairQueue<string>(100);
  expect(Array.from({ length: 200 }, (_, i) => fill(queue, `d${i}`, 1)).filter(Boolean)).toHaveLength(100);
  expect(queue.length).toBe(100);
});
