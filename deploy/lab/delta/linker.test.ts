import { expect, test } from 'vitest';
import { applyPatch } from '#webhook/firmware/patches/apply.ts';
import { makePatch } from '#webhook/firmware/patches/format.ts';
import { pair } from './linker.ts';

test.each([
  ['constant', 1],
  ['function', 4],
  ['release', 8],
] as const)('a change of a %s is made by a patch of less than %d %% of the image', (what, percent) => {
  const [old, next] = pair(what, 5, 48 * 1024);
  const patch = makePatch(old, next);
  expect(Buffer.compare(applyPatch(old, patch), next)).toBe(0);
  expect((patch.length / next.length) * 100).toBeLessThan(percent);
});
