import { describe, expect, it } from 'vitest';
import { parseCsv } from './csv.ts';

describe('a CSV file', () => {
  it.each([
    [
      'a,b\nc,d\n',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    [
      '\uFEFFa,b\r\nc,d',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    [
      'a,,\n\n,"",b\n',
      [
        ['a', '', ''],
        ['', '', 'b'],
      ],
    ],
    [
      '"a, ""b""",c\n"d\ne",f',
      [
        ['a, "b"', 'c'],
        ['d\ne', 'f'],
      ],
    ],
    ['', []],
  ])('%j is read as RFC 4180 says', (text, rows) => {
    expect(parseCsv(text).map(({ fields }) => fields)).toEqual(rows);
  });

  it('tells each row by the line on which it begins', () => {
    expect(parseCsv('a\n\n"b\nc"\nd\n').map(({ line }) => line)).toEqual([1, 3, 5]);
  });

  it.each([
    ['a\n"b\nc', 'line 2: a quote is opened'],
    ['a\nb"c', 'line 2: a quote within'],
    ['"a"b', 'line 1: there is something'],
    ['a\rb', 'line 1: a carriage return'],
  ])('%j is refused with its line', (text, message) => {
    expect(() => parseCsv(text)).toThrowError(message);
  });
});
