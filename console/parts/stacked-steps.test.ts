import { expect, it } from 'vitest';
import { type Moment, stackSteps } from './stacked-steps.ts';

const x = (atMs: number) => atMs;
const y = (share: number) => share * 100;

it('stacks shares in the order of the states, each holding until the next moment', () => {
  const moments: Moment[] = [
    { atMs: 0, states: { pending: 4 } },
    { atMs: 10, states: { pending: 1, succeeded: 3 } },
  ];
  expect(stackSteps(moments, ['succeeded', 'failed', 'pending'], 20, x, y)).toEqual([
    { state: 'succeeded', points: '0,0.0 10,0.0 10,75.0 20,75.0 20,0.0 10,0.0 10,0.0 0,0.0' },
    { state: 'pending', points: '0,100.0 10,100.0 10,100.0 20,100.0 20,75.0 10,75.0 10,0.0 0,0.0' },
  ]);
});

it('draws nothing of what is nowhere, and survives a moment without anybody', () => {
  expect(stackSteps([], ['pending'], 1, x, y)).toEqual([]);
  expect(stackSteps([{ atMs: 0, states: {} }], ['pending'], 1, x, y)).toEqual([]);
});
