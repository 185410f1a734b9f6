import { createHash, randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { createSha256, digestPieces } from './digest.ts';

const reference = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

it('agrees with the reference at every length around the block and padding edges', () => {
  for (let length = 0; length <= 200; length += 1) {
    const bytes = randomBytes(length);
    const sha = createSha256();
    sha.update(bytes);
    expect(sha.digestHex(), `length ${length}`).toBe(reference(bytes));
  }
});

it('does not depend on how the bytes are cut into pieces', () => {
  const bytes = randomBytes(10_000);
  for (const piece of [1, 7, 63, 64, 65, 1000]) {
    const sha = createSha256();
    for (let at = 0; at < bytes.length; at += piece) sha.update(bytes.subarray(at, at + piece));
    expect(sha.digestHex(), `pieces of ${piece}`).toBe(reference(bytes));
  }
});

it('digests a file of several pieces, and reports progress up to the end', async () => {
  const bytes = new Uint8Array(randomBytes(5 * 1024 * 1024 + 3));
  const shares: number[] = [];
  expect(await digestPieces(new Blob([bytes]), (share) => shares.push(share))).toBe(reference(bytes));
  expect(shares).toHaveLength(3);
  expect(shares.at(-1)).toBe(1);
});
