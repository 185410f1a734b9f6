import { expect, it } from 'vitest';
import { pageOf, textOf } from './params.ts';

it('reads a page number, and the first page for anything else', () => {
  expect(['3', '0', '-1', '1.5', 'x', undefined, ['2', '3']].map((value) => pageOf(value))).toEqual([
    3, 1, 1, 1, 1, 1, 1,
  ]);
});

it('reads a parameter as one text', () => {
  expect([textOf(undefined), textOf('a'), textOf(['a', 'b'])]).toEqual(['', 'a', 'a']);
});
