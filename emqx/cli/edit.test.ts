import { describe, expect, test } from 'vitest';
import { type HoconObject, nodeAt, parseHocon, toPlain } from '../hocon.ts';
import { type Edit, editText } from './edit.ts';

const edited = (text: string, ...edits: Edit[]) => {
  const above = ['r', 'x'];
  return editText(text, nodeAt(parseHocon(text), ...above) as HoconObject, above, edits);
};

describe('a value is replaced where it stands', () => {
  test.each([
    ['r.x { a = 5s # five\n}', ['a'], '6s', 'r.x { a = 6s # five\n}'],
    ['r.x { a = "5s", b = 1 }', ['a'], '6s', 'r.x { a = "6s", b = 1 }'],
    ['r.x { a = 5s }', ['a'], 'two words', 'r.x { a = "two words" }'],
    ['r.x { a = word }', ['a'], 'true', 'r.x { a = "true" }'],
    ['r.x { a = """S\n  T""" }', ['a'], 'S\n  "U" ', 'r.x { a = """S\n  "U" """ }'],
    ['r.x { a = x }', ['a'], 'say "x"', 'r.x { a = "say \\"x\\"" }'],
    ['r.x { a = [1] }', ['a'], ['http:b', 'c'], 'r.x { a = ["http:b", "c"] }'],
    ['r.x.b.c = 1\nr.x.a = 2', ['b', 'c'], 3, 'r.x.b.c = 3\nr.x.a = 2'],
  ])('%j', (text, path, value, wanted) => {
    expect(edited(text, { path, value })).toBe(wanted);
  });
});

describe('a new entry goes behind the last, a removed one goes with its line', () => {
  test.each([
    ['r.x {\n  a = 1 # one\n  # end\n}', ['b'], true, 'r.x {\n  a = 1 # one\n  b = true\n  # end\n}'],
    ['r.x { a = 1 }', ['b'], 2, 'r.x { a = 1, b = 2 }'],
    ['r.x {}', ['b'], 2, 'r.x { b = 2 }'],
    ['r.x {\n  o {\n    a = 1\n  }\n}', ['o', 'b'], 2, 'r.x {\n  o {\n    a = 1\n    b = 2\n  }\n}'],
    ['r.x {\n  a = 1\n}', ['o', 'X-B'], 2, 'r.x {\n  a = 1\n  o.X-B = 2\n}'],
    ['r.x.a = 1', ['o', 'a.b'], 2, 'r.x.a = 1\nr.x.o."a.b" = 2\n'],
    ['r.x {\n  a = 1\n  b = 2 # two\n}', ['a'], undefined, 'r.x {\n  b = 2 # two\n}'],
    ['r.x { a = 1, b = 2 }', ['a'], undefined, 'r.x { b = 2 }'],
  ])('%j', (text, path, value, wanted) => {
    const result = edited(text, { path, value });
    expect(result).toBe(wanted);
    expect(() => toPlain(parseHocon(result))).not.toThrow();
  });

  test('several at once do not get into each other’s way', () => {
    const text = 'r.x {\n  a = 1\n  b = 2\n}\n';
    expect(
      edited(
        text,
        { path: ['a'], value: 10 },
        { path: ['b'], value: 20 },
        { path: ['c'], value: 30 },
        { path: ['d'], value: 40 },
      ),
    ).toMatch(/^r\.x \{\n {2}a = 10\n {2}b = 20\n {2}[cd] = [34]0\n {2}[cd] = [34]0\n\}\n$/);
  });
});
