/**
 * Reads the part of HOCON that EMQX files use: comments, nested and dotted keys, `=`, `:` or a bare `{`, strings (plain,
 * quoted, triple-quoted, indented ones between """~ and ~""", as EMQX writes them), lists, objects that merge, and `include "file"`. Every value keeps where it stands, so that a
 * tool can replace it in its file and leave the rest, comments included, as it was.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Where a value stands: offsets into the file's text, and line and column from 1. */
export interface Span {
  file: string;
  start: number;
  end: number;
  line: number;
  column: number;
  /** Where the entry's key begins; in a list, where the item does. */
  key: number;
  /** The line on which the object was given a second time. */
  again?: number;
}
export type HoconNode =
  | { kind: 'object'; entries: Map<string, HoconNode>; span: Span }
  | { kind: 'list'; items: HoconNode[]; span: Span }
  | { kind: 'scalar'; value: string | number | boolean | null; span: Span };
export type HoconObject = Extract<HoconNode, { kind: 'object' }>;
export type HoconValue = string | number | boolean | null | HoconValue[] | { [key: string]: HoconValue };

export class HoconError extends Error {
  override readonly name = 'HoconError';
  readonly code = 'hocon_syntax';
  readonly file: string;
  readonly line: number;
  constructor(file: string, line: number, column: number, message: string) {
    super(`${file}:${line}:${column}: ${message}`);
    this.file = file;
    this.line = line;
  }
}

/** Reads a file and what it includes. Throws HoconError with file and line, or the file system's own error. */
export function readHocon(file: string): HoconObject {
  return parseHocon(readFileSync(file, 'utf8'), file);
}

const noFile = 'hocon';
/** Parses a text; `include` paths are relative to `file`, and refused without one. */
export function parseHocon(text: string, file = noFile, including: string[] = []): HoconObject {
  return new Reader(text, file, including).document();
}

/** The plain value, for what needs no positions. */
export function toPlain(node: HoconNode): HoconValue {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(toPlain);
  const plain: { [key: string]: HoconValue } = Object.create(null);
  for (const [key, child] of node.entries) plain[key] = toPlain(child);
  return plain;
}

/** The node under a path of keys, or undefined. */
export function nodeAt(node: HoconNode | undefined, ...path: string[]): HoconNode | undefined {
  for (const key of path) {
    if (node?.kind !== 'object') return undefined;
    node = node.entries.get(key);
  }
  return node;
}

/** Lays `over` upon `under`: objects merge key by key, anything else is replaced. */
export function mergeObjects(under: HoconObject, over: HoconObject): HoconObject {
  for (const [key, node] of over.entries) {
    const old = under.entries.get(key);
    if (old?.kind === 'object' && node.kind === 'object') merge(old, node);
    else under.entries.set(key, node);
  }
  return under;
}

function merge(old: HoconObject, node: HoconObject): void {
  old.span.again ??= node.span.line;
  mergeObjects(old, node);
}

const endOfBare = new Set([...'$"{}[]:=,+#`^?!@*&\\\n\r']);

class Reader {
  private at = 0;
  private readonly text: string;
  private readonly file: string;
  private readonly including: string[];
  constructor(text: string, file: string, including: string[]) {
    this.text = text.startsWith('\uFEFF') ? text.slice(1) : text;
    this.file = file;
    this.including = including;
  }

  document(): HoconObject {
    this.skip(true);
    const braced = this.text[this.at] === '{';
    const root = braced ? this.object() : this.entries(0, false);
    this.skip(true);
    if (this.at < this.text.length) throw this.error(`unexpected "${this.text[this.at]}"`);
    return root;
  }

  private object(): HoconObject {
    const start = this.at++;
    const object = this.entries(start, true);
    if (this.text[this.at] !== '}') throw this.error('this "{" is never closed', start);
    this.at++;
    object.span.end = this.at;
    return object;
  }

  private entries(start: number, braced: boolean): HoconObject {
    const object: HoconObject = { kind: 'object', entries: new Map(), span: this.span(start) };
    for (;;) {
      this.skip(true, true);
      const next = this.text[this.at];
      if (next === undefined || (braced && next === '}')) {
        object.span.end = this.at;
        return object;
      }
      if (this.include(object)) continue;
      const keyAt = this.at;
      const path = this.path();
      this.skip(false);
      const sign = this.text[this.at];
      if (sign === '=' || sign === ':') {
        this.at++;
        this.skip(true);
      } else if (sign !== '{') throw this.error(`expected "=", ":" or "{" after "${path.join('.')}"`);
      this.put(object, path, this.value(), keyAt);
      this.endOfEntry(braced);
    }
  }

  private put(object: HoconObject, path: string[], node: HoconNode, keyAt: number): void {
    let target = object;
    for (const key of path.slice(0, -1)) {
      let child = target.entries.get(key);
      if (child?.kind !== 'object') {
        child = { kind: 'object', entries: new Map(), span: this.span(keyAt) };
        child.span.end = node.span.end;
        target.entries.set(key, child);
      }
      target = child;
    }
    const last = path.at(-1)!;
    const old = target.entries.get(last);
    node.span.key = keyAt;
    if (old?.kind === 'object' && node.kind === 'object') merge(old, node);
    else target.entries.set(last, node);
  }

  private endOfEntry(braced: boolean): void {
    this.skip(false);
    const next = this.text[this.at];
    if (next === undefined || next === ',' || next === '\n' || next === '\r' || (braced && next === '}'))
      return;
    throw this.error(`expected the end of the line, found "${next}"`);
  }

  private include(into: HoconObject): boolean {
    const match = /^include\s+"([^"\n]+)"/.exec(this.text.slice(this.at, this.at + 1024));
    if (!match) return false;
    if (this.file === noFile) throw this.error('include is for files');
    const file = resolve(dirname(this.file), match[1]!);
    if (this.including.includes(file)) throw this.error(`"${match[1]}" includes itself`);
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch {
      throw this.error(`cannot read the included file "${match[1]}"`);
    }
    this.at += match[0].length;
    mergeObjects(into, parseHocon(text, file, [...this.including, file]));
    return true;
  }

  private path(): string[] {
    const path: string[] = [];
    for (;;) {
      if (this.text[this.at] === '"') path.push(this.quoted());
      else {
        const start = this.at;
        while (this.at < this.text.length && !/[\s.]/.test(this.text[this.at]!) && !this.ends()) this.at++;
        if (this.at === start) throw this.error('expected a key');
        path.push(this.text.slice(start, this.at));
      }
      if (this.text[this.at] !== '.') return path;
      this.at++;
    }
  }

  private value(): HoconNode {
    const start = this.at;
    const next = this.text[start];
    if (next === '{') return this.object();
    if (next === '[') return this.list();
    if (next === '"') {
      const value = this.text.startsWith('"""', start) ? this.raw() : this.quoted();
      return { kind: 'scalar', value, span: { ...this.span(start), end: this.at } };
    }
    while (this.at < this.text.length && !this.ends()) this.at++;
    const bare = this.text.slice(start, this.at).trimEnd();
    this.at = start + bare.length;
    if (bare === '') throw this.error('expected a value');
    return { kind: 'scalar', value: scalar(bare), span: { ...this.span(start), end: this.at } };
  }

  private list(): HoconNode {
    const start = this.at++;
    const items: HoconNode[] = [];
    for (;;) {
      this.skip(true, true);
      if (this.at >= this.text.length) throw this.error('this "[" is never closed', start);
      if (this.text[this.at] === ']') break;
      items.push(this.value());
      this.skip(false);
      if (this.at < this.text.length && !/[,\]\n\r]/.test(this.text[this.at]!))
        throw this.error('expected "," or "]"');
    }
    this.at++;
    return { kind: 'list', items, span: { ...this.span(start), end: this.at } };
  }

  private quoted(): string {
    const match = /^"(?:[^"\\\n]|\\.)*"/.exec(this.text.slice(this.at));
    if (!match) throw this.error('this string is never closed');
    let value: string;
    try {
      value = JSON.parse(match[0].replaceAll('\t', '\\t'));
    } catch {
      throw this.error('bad escape in this string');
    }
    this.at += match[0].length;
    return value;
  }

  private raw(): string {
    const end = this.text.indexOf('"""', this.at + 3);
    if (end < 0) throw this.error('this """ is never closed');
    const value = this.text.slice(this.at + 3, end);
    this.at = end + 3;
    return /^~\r?\n/.test(value) ? withoutIndent(value) : value;
  }

  private ends(): boolean {
    return endOfBare.has(this.text[this.at]!) || this.text.startsWith('//', this.at);
  }

  private skip(lines: boolean, commas = false): void {
    for (; this.at < this.text.length; this.at++) {
      const next = this.text[this.at]!;
      if (next === '#' || this.text.startsWith('//', this.at)) {
        const end = this.text.indexOf('\n', this.at);
        this.at = (end < 0 ? this.text.length : end) - 1;
      } else if (next === ' ' || next === '\t' || (lines && /\s/.test(next)) || (commas && next === ',')) {
      } else return;
    }
  }

  private span(start: number): Span {
    const before = this.text.slice(0, start);
    const line = before.split('\n').length;
    return { file: this.file, start, end: start, line, column: start - before.lastIndexOf('\n'), key: start };
  }

  private error(message: string, at = this.at): HoconError {
    const { line, column } = this.span(at);
    return new HoconError(this.file, line, column, message);
  }
}

/** What stands between """~ and ~""": the line of the first ~ is none, and all lose what the least indented has (emqx/hocon, README). */
function withoutIndent(raw: string): string {
  const lines = raw
    .replace(/^~\r?\n/, '')
    .replace(/~$/, '')
    .split('\n');
  const indents = lines.filter((line) => line.trim()).map((line) => /^ */.exec(line)![0].length);
  const least = Math.min(...indents);
  return lines.map((line) => line.slice(Math.min(least, /^ */.exec(line)![0].length))).join('\n');
}

function scalar(bare: string): string | number | boolean | null {
  if (bare === 'true') return true;
  if (bare === 'false') return false;
  if (bare === 'null') return null;
  return /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(bare) ? Number(bare) : bare;
}
