import { expect, test } from 'vitest';
import { nextChunkBytes } from './chunk.ts';

const bounds = { chunkFloorBytes: 16, chunkCeilingBytes: 100 };
const pace = { fastChunkMs: 10, slowChunkMs: 50 };
const next = (current: number, elapsedMs: number, broken = false) =>
  nextChunkBytes(current, { elapsedMs, broken }, bounds, pace);

test('a fast chunk doubles the next, up to the ceiling', () => {
  expect(next(32, 5)).toBe(64);
  expect(next(64, 5)).toBe(100);
});

test('a slow or broken chunk halves the next, down to the floor', () => {
  expect(next(64, 51)).toBe(32);
  expect(next(64, 5, true)).toBe(32);
  expect(next(20, 51)).toBe(16);
});

test('a chunk in between changes nothing', () => {
  expect(next(64, 20)).toBe(64);
});
