import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { buildImage, parseImageHeader } from './image.ts';

const input = { version: '1.2.3', sizeBytes: 20_001, selfTest: 'fail', seed: 5 } as const;

test('the same arguments build the same image, another seed another one', () => {
  expect(buildImage(input)).toEqual(buildImage(input));
  expect(buildImage({ ...input, seed: 6 })).not.toEqual(buildImage(input));
});

test('an image has the size that was asked for, a readable header and a body that does not compress', () => {
  const image = buildImage(input);
  expect(image).toHaveLength(20_001);
  expect(parseImageHeader(image)).toEqual({ version: '1.2.3', selfTest: 'fail' });
  expect(gzipSync(image).length).toBeGreaterThan(19_500);
});

test('bytes in another format have no header', () => {
  expect(parseImageHeader(Buffer.from('hello'))).toBeNull();
  expect(parseImageHeader(Buffer.from('FLOTA-IMAGE 1\n{broken\n'))).toBeNull();
  expect(parseImageHeader(Buffer.from('FLOTA-IMAGE 1\n{"version":"1"'))).toBeNull();
});

test('an image that cannot hold its header is refused', () => {
  expect(() => buildImage({ ...input, sizeBytes: 100 })).toThrow(RangeError);
});
