import { createHash, randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { createSha256, digestFile } from './digest.ts';

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

it('digests a file of several pieces, reports progress up to the end, and stops when aborted', async () => {
  const bytes = new Uint8Array(randomBytes(5 * 1024 * 1024 + 3));
  const shares: number[] = [];
  const file = new Blob([bytes]);
  expect(await digestFile(file, { onProgress: (share) => shares.push(share) })).toBe(reference(bytes));
  expect(shares).toHaveLength(3);
  expect(shares.at(-1)).toBe(1);

  const abort = new AbortController();
  const stopped = digestFile(file, { signal: abort.signal, onProgress: () => abort.abort() });
  await expect(stopped).rejects.toMatchObject({ name: 'AbortError' });
});
