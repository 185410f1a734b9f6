import { expect, test } from 'vitest';
import { ChunkMap, cellCount } from './chunk-map.ts';

/** A cell is ten bytes. */
const start = () => new ChunkMap(cellCount * 10);
/** The first cells; the rest must not have been touched. */
const head = (map: ChunkMap, cells: number, moving = true) => {
  expect(map.cells(moving)).toHaveLength(cellCount);
  expect(map.cells(moving).slice(cells)).toBe('.'.repeat(cellCount - cells));
  return map.cells(moving).slice(0, cells);
};

test('what is asked for fills up with what is received, and only whole cells count', () => {
  const map = start();
  map.asked(0, 40);
  expect(head(map, 4)).toBe('aaaa');
  map.received(25);
  expect(head(map, 4)).toBe('++aa');
  map.received(40);
  map.asked(40, 60);
  expect(head(map, 6)).toBe('++++aa');
});

test('a broken request is lost from where it broke, asked for again, and then received at the second asking', () => {
  const map = start();
  map.asked(0, 40);
  map.received(20);
  expect(head(map, 4, false)).toBe('++xx');
  map.asked(20, 30);
  // The smaller chunk that follows a break: the rest still has to be asked for again.
  expect(head(map, 4)).toBe('++ax');
  map.received(30);
  map.asked(30, 50);
  map.received(50);
  expect(head(map, 5)).toBe('++rr+');
});

test('a power cut takes what came after the last checkpoint, and that is received again', () => {
  const map = start();
  map.asked(0, 60);
  map.received(60);
  map.received(30);
  map.asked(30, 90);
  expect(head(map, 9)).toBe('+++aaaaaa');
  map.received(90);
  expect(head(map, 9)).toBe('+++rrr+++');
});

test('an image that does not divide into its cells is whole at its last byte', () => {
  const map = new ChunkMap(1001);
  map.received(1000);
  expect(map.cells(true).at(-1)).toBe('.');
  map.received(1001);
  expect(map.cells(true)).toBe('+'.repeat(cellCount));
});
