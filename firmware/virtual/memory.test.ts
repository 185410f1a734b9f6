import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { randomOf } from '#deploy/lab/primitives/random.ts';
import { Memory } from './memory.ts';

const mib = 1024 * 1024;

test('a hundred devices with the same image hold its bytes once, however they were written', () => {
  const image = randomBytes(mib);
  const before = process.memoryUsage().arrayBuffers;
  const devices = Array.from({ length: 100 }, (_, i) => {
    const memory = new Memory();
    const piece = 1000 + 641 * i;
    for (let at = 0; at < mib; at += piece) memory.writeAt('slot-b.img', at, image.subarray(at, at + piece));
    return memory;
  });
  globalThis.gc?.();
  const read = Buffer.alloc(mib);
  for (const memory of devices) {
    expect(memory.readAt('slot-b.img', 0, read)).toBe(mib);
    expect(read.equals(image)).toBe(true);
  }
  // What writes left behind on their way may not have been collected yet.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50 * mib);
});

test('what one device writes changes nothing for another that holds the same bytes', () => {
  const image = randomBytes(3 * 4096);
  const [one, other] = [new Memory(), new Memory()];
  for (const memory of [one, other]) memory.writeAt('a', 0, image);
  one.writeAt('a', 4090, Buffer.from('changed across two pages'));
  one.truncate('a', 5000);
  expect(Buffer.from(other.read('a')!).equals(image)).toBe(true);
});

test('whatever is written, cut off and read, it is what a file would hold', () => {
  const random = randomOf(1, 'memory');
  const below = (n: number) => Math.floor(random() * n);
  const memory = new Memory();
  let file = Buffer.alloc(0);
  const grow = (bytes: number) => Buffer.concat([file, Buffer.alloc(Math.max(0, bytes - file.length))]);
  for (let i = 0; i < 3_000; i++) {
    const offset = below(5 * 4096);
    if (below(3) > 0) {
      const data = below(2) ? randomBytes(below(3 * 4096)) : Buffer.alloc(below(3 * 4096), below(3));
      memory.writeAt('f', offset, data);
      if (data.length > 0 || offset > file.length) file = grow(offset + data.length);
      data.copy(file, offset);
    } else {
      memory.truncate('f', offset);
      file = grow(offset).subarray(0, offset);
    }
    expect(memory.size('f')).toBe(file.length);
    const part = Buffer.alloc(below(9000));
    const from = below(5 * 4096);
    const expected = file.subarray(from, from + part.length);
    expect(memory.readAt('f', from, part)).toBe(expected.length);
    expect(part.subarray(0, expected.length).equals(expected)).toBe(true);
  }
  expect(Buffer.from(memory.read('f')!).equals(file)).toBe(true);
});
