import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { HoconError, nodeAt, parseHocon, readHocon, toPlain } from './hocon.ts';

const read = (text: string) => JSON.parse(JSON.stringify(toPlain(parseHocon(text, 'f.hocon'))));

describe('values', () => {
  test.each([
    ['a = 1, b: 2\nc { d = 3 }', { a: 1, b: 2, c: { d: 3 } }],
    ['{"a": {"b": [1, "x", true, null]}}', { a: { b: [1, 'x', true, null] } }],
    ['a.b.c = x\na.b.d = y\na { b.e = z }', { a: { b: { c: 'x', d: 'y', e: 'z' } } }],
    ['a { x = 1, y = 1 }\na { y = 2 }', { a: { x: 1, y: 2 } }],
    ['a = { x = 1 }\na = 2', { a: 2 }],
    ['a = [\n  1\n  2,\n  {b = 3}\n]', { a: [1, 2, { b: 3 }] }],
    ['a = """SELECT "x"\n  FROM y"""', { a: 'SELECT "x"\n  FROM y' }],
    // As EMQX writes it: indented between tildes, the closing ones on a line of their own or not.
    ['a = """~\n    SELECT\n      "x"\n\n    FROM y~"""\nb = 1', { a: 'SELECT\n  "x"\n\nFROM y', b: 1 }],
    ['a {\n  b = """~\r\n    one\n      two\n  ~"""\n}', { a: { b: 'one\n  two\n' } }],
    ['a = """~ not a line of its own"""', { a: '~ not a line of its own' }],
    ['a = "tab\\t \\u00e9 # not a comment"', { a: 'tab\t é # not a comment' }],
    ['a = 5s # five\nb = 32MB // size\nc = SELECT all of it', { a: '5s', b: '32MB', c: 'SELECT all of it' }],
    ['"a.b" = 1\n"c".d = -2.5e3', { 'a.b': 1, c: { d: -2500 } }],
    ['# only\n\n// comments', {}],
    ['', {}],
    ['\uFEFFa = 1\r\nb = 2\r\n', { a: 1, b: 2 }],
    ['__proto__ { polluted = true }', JSON.parse('{"__proto__":{"polluted":true}}')],
  ])('%j', (text, value) => {
    expect(read(text)).toEqual(value);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

test('a file includes another, and what comes later wins', () => {
  const dir = mkdtempSync(join(tmpdir(), 'hocon-'));
  writeFileSync(join(dir, 'inner.hocon'), 'a { x = 1, y = 1 }');
  writeFileSync(join(dir, 'outer.hocon'), 'include "inner.hocon"\na.y = 2\nb { include "inner.hocon" }');
  writeFileSync(join(dir, 'loop.hocon'), '\ninclude "loop.hocon"');
  expect(JSON.parse(JSON.stringify(toPlain(readHocon(join(dir, 'outer.hocon')))))).toEqual({
    a: { x: 1, y: 2 },
    b: { a: { x: 1, y: 1 } },
  });
  expect(() => readHocon(join(dir, 'loop.hocon'))).toThrow(/includes itself/);
  rmSync(dir, { recursive: true });
});

test('every value can be replaced in place, and nothing else of the file changes', () => {
  const text = readFileSync(new URL('./rules/actions/critical.hocon', import.meta.url), 'utf8');
  const root = parseHocon(text, 'critical.hocon');
  const { span } = nodeAt(root, 'actions', 'http', 'critical', 'resource_opts', 'request_ttl')!;
  expect(text.slice(span.start, span.end)).toBe('2m');
  const edited = `${text.slice(0, span.start)}90s${text.slice(span.end)}`;
  expect(edited).toBe(text.replace('request_ttl = 2m', 'request_ttl = 90s'));
  const sql = nodeAt(parseHocon('r {\n  sql = """a\nb"""\n  l = [1]\n}'), 'r', 'sql')!.span;
  expect(sql).toMatchObject({ line: 2, column: 9 });
});

describe('mistakes are told with file, line and column', () => {
  test.each([
    ['a = {\n b = 1', 1, 'never closed'],
    ['a = [1\n', 1, 'never closed'],
    ['a = "x', 1, 'never closed'],
    ['\na = """x', 2, 'never closed'],
    ['a =\n', 2, 'expected a value'],
    ['a 1', 1, 'expected "="'],
    ['a = 1\nb = [1 {]', 2, 'expected "," or "]"'],
    ['a = "x" y', 1, 'expected the end of the line'],
    ['a = 1\n}', 2, 'expected a key'],
    ['include "nope.hocon"', 1, 'cannot read'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: substitutions are not supported
    ['a = ${b}', 1, 'expected a value'],
    ['= 1', 1, 'expected a key'],
  ])('%j', (text, line, message) => {
    try {
      parseHocon(text, 'f.hocon');
    } catch (error) {
      expect(error).toBeInstanceOf(HoconError);
      expect((error as HoconError).message).toContain(message);
      expect((error as HoconError).line).toBe(line);
      return;
    }
    throw new Error('was accepted');
  });
});
