import { expect, it } from 'vitest';
import { targetStates } from '#webhook/deployments/states.ts';

import { barOrder, byAttention, lookOf, sumOf } from './state-tone.ts';

it('gives every state of a target a shape of its own and a place in the bar', () => {
  expect(new Set(targetStates.map((state) => lookOf(state).glyph)).size).toBe(targetStates.length);
  expect([...barOrder].sort()).toEqual([...targetStates].sort());
});

it('puts failing devices first and finished ones last, and keeps the order among equals', () => {
  const rows = (['succeeded', 'pending', 'downloading', 'failed', 'pending', 'timed_out'] as const).map(
    (state, n) => ({ state, n }),
  );
  expect(byAttention(rows).map(({ state, n }) => `${state} ${n}`)).toEqual([
    'failed 3',
    'timed_out 5',
    'downloading 2',
    'pending 1',
    'pending 4',
    'succeeded 0',
  ]);
  expect([...targetStates].length).toBe(new Set(byAttention(targetStates.map((state) => ({ state })))).size);
});

it('sums the states that it is asked for, absent ones as none', () => {
  expect(sumOf({ failed: 2, succeeded: 5 }, ['failed', 'rolled_back'])).toBe(2);
});
