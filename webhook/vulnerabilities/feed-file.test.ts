/** Feeds as files: however they are packed, and however they come in pieces. No server. */
import { strToU8, zipSync } from 'fflate';
import { expect, test } from 'vitest';
import { readFeed } from './feed-file.ts';

async function* pieces(content: Uint8Array, size: number) {
  for (let at = 0; at < content.length; at += size) yield content.slice(at, at + size);
}
async function read(content: Uint8Array | string, size = 7): Promise<unknown[][]> {
  const bytes = typeof content === 'string' ? strToU8(content) : content;
  const batches: unknown[][] = [];
  for await (const batch of readFeed(pieces(bytes, size))) batches.push(batch);
  return batches;
}
const [a, b] = [{ id: 'A-1', summary: 'ü' }, { id: 'B-2' }];

test.each<[string, Uint8Array | string]>([
  [
    'a zip',
    zipSync({
      'A-1.json': strToU8(JSON.stringify(a)),
      'README.md': strToU8('#'),
      'B-2.json': strToU8(JSON.stringify(b)),
    }),
  ],
  ['JSON lines', `${JSON.stringify(a)}\n\n${JSON.stringify(b)}\n`],
  ['JSON lines without an end', `${JSON.stringify(a)}\n${JSON.stringify(b)}`],
  ['a list', JSON.stringify([a, b], null, 2)],
])('%s is read', async (_, content) => {
  for (const size of [1, 7, 100_000]) expect(await read(content, size)).toEqual([[a, b]]);
});

test('one advisory over many lines is one, and nothing is nothing', async () => {
  expect(await read(JSON.stringify(a, null, 2))).toEqual([[a]]);
  expect(await read('')).toEqual([]);
  expect(await read('\n\n')).toEqual([]);
});

test('many come in batches that the server takes', async () => {
  const many = Array.from({ length: 1_200 }, (_, i) => JSON.stringify({ id: `A-${i}` })).join('\n');
  expect((await read(many, 4_096)).map(({ length }) => length)).toEqual([500, 500, 200]);
  const large = Array.from({ length: 3 }, (_, i) =>
    JSON.stringify({ id: `A-${i}`, details: 'x'.repeat(3e6) }),
  );
  expect((await read(large.join('\n'), 1e6)).map(({ length }) => length)).toEqual([1, 1, 1]);
});

test('what unpacks to more than any advisory, what is cut off and what is no JSON is refused by its name', async () => {
  const bomb = zipSync({ 'bomb.json': new Uint8Array(50e6) }, { level: 9 });
  expect(bomb.length).toBeLessThan(100_000);
  await expect(read(bomb, 10_000)).rejects.toThrow('bomb.json: unpacks to more than 4194304 bytes');
  await expect(read(zipSync({ 'a.json': strToU8('{') }), 10)).rejects.toThrow('a.json: is not JSON');
  await expect(read(`${JSON.stringify(a)}\nnonsense\n`)).rejects.toThrow('line 2: is not JSON');
  await expect(read(`${JSON.stringify(a)}\n{"details":"${'x'.repeat(5e6)}`, 1e6)).rejects.toThrow(
    'line 2: is longer',
  );
  await expect(read('nonsense')).rejects.toThrow('line 1: is not JSON');
});
