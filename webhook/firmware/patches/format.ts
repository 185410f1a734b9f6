/** Makes patches and applies them: detools' sequential format (`firmware/DELTA.md`), pure and in memory. */
import { crle, heatshrink } from './compress.ts';
import { difference, packNumber } from './difference.ts';

/** As devices name what they take (`patch` in what they say they run). */
export const patchFormat = 'detools';

/** The digest of nothing: the base of a compressed image, which is a patch that needs no image. */
export const noBase = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

const compressions = { none: 0, crle: 2, heatshrink: 4 } as const;

/** The shorter of the two compressions. */
export function makePatch(old: Uint8Array, next: Uint8Array): Uint8Array {
  const text = difference(old, next);
  const [kind, packed] = [['crle', crle(text)] as const, ['heatshrink', heatshrink(text)] as const].reduce(
    (best, one) => (one[1].length < best[1].length ? one : best),
  );
  return Buffer.concat([Uint8Array.of(compressions[kind]), packNumber(next.length), packed]);
}
