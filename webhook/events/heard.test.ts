import { expect, test } from 'vitest';
import { createHeard, heardEveryMs } from './heard.ts';

test('a device is due with its first message, and again only after a while; one that speaks often stops no other', () => {
  const heard = createHeard();
  const start = 1_000_000;
  expect(heard.take(['a', 'a', 'b'], start)).toEqual(['a', 'b']);
  expect(heard.take(['a', 'b', 'c'], start + heardEveryMs - 1)).toEqual(['c']);
  expect(heard.take(['a', 'c'], start + heardEveryMs)).toEqual(['a', 'c']);
});

test('a clock that goes back does not silence anybody', () => {
  const heard = createHeard();
  heard.take(['a'], 5_000_000);
  expect(heard.take(['a'], 1_000)).toEqual(['a']);
});
