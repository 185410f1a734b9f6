import { expect, test } from 'vitest';
import { readable } from './letter-body.ts';

test('a row is shown with its payload opened, and as it came where that is no JSON', () => {
  expect(readable('{"topic":"log","payload":"{\\"a\\":[1]}"}')).toBe(
    JSON.stringify({ topic: 'log', payload: { a: [1] } }, null, 2),
  );
  expect(readable('{"payload":"{\\"a"}')).toBe(JSON.stringify({ payload: '{"a' }, null, 2));
  for (const text of ['nothing', '"text"', 'null', '1']) expect(readable(text)).toBe(text);
});

test('JSON that is nested beyond all measure is shown as it came, at once and no longer than it is', () => {
  const deep = '['.repeat(8_000) + ']'.repeat(8_000);
  expect(readable(deep)).toBe(deep);
  const row = JSON.stringify({ payload: deep });
  expect(readable(row).length).toBeLessThan(row.length + 20);
});
