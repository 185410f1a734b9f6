/** The functions of rule SQL that rules for devices use. An unknown name fails the rule, as it does on the broker. */
import { createHash, randomUUID } from 'node:crypto';
import { decodeJson, encodeJson, floatToText, isRow, type Row, type Value } from '../json.ts';
import { EvaluationError, identical, toText } from './compare.ts';
import { dateFunctions } from './dates.ts';

type Fn = (...args: Value[]) => Value;

function bad(what: string): EvaluationError {
  return new EvaluationError(what);
}
export function text(value: Value): string {
  if (typeof value === 'string') return value;
  if (Buffer.isBuffer(value)) return value.toString('utf8');
  throw bad('needs a text');
}
export function integer(value: Value): bigint {
  if (typeof value !== 'bigint') throw bad('needs an integer');
  return value;
}
function number(value: Value): number {
  if (typeof value !== 'bigint' && typeof value !== 'number') throw bad('needs a number');
  return Number(value);
}
function list(value: Value): Value[] {
  if (!Array.isArray(value)) throw bad('needs a list');
  return value;
}
/** Maps arrive as maps or, for `payload`, as JSON text. */
function map(value: Value): Row {
  const row = typeof value === 'string' ? decoded(value) : value;
  if (!isRow(row)) throw bad('needs a map');
  return row;
}
function decoded(value: string): Value {
  try {
    return decodeJson(value);
  } catch {
    throw bad('not JSON');
  }
}
function element(items: Value[], at: number): Value {
  if (at < 1 || at > items.length) throw bad('out of range');
  return items[at - 1];
}
function direction(value: Value | undefined, all: string): string {
  return value === undefined ? all : text(value);
}

const strings: Record<string, Fn> = {
  upper: (s) => text(s).toUpperCase(),
  lower: (s) => text(s).toLowerCase(),
  trim: (s) => text(s).trim(),
  ltrim: (s) => text(s).trimStart(),
  rtrim: (s) => text(s).trimEnd(),
  reverse: (s) => [...text(s)].reverse().join(''),
  strlen: (s) => BigInt([...text(s)].length),
  concat: (a, b) => toText(a) + toText(b),
  substr: (s, start, length) => {
    const points = [...text(s)];
    const from = Number(integer(start));
    return points.slice(from, length === undefined ? undefined : from + Number(integer(length))).join('');
  },
  split: (s, separator, how) => {
    const [whole, by] = [text(s), text(separator)];
    const mode = direction(how, '');
    const at = mode.startsWith('leading')
      ? whole.indexOf(by)
      : mode.startsWith('trailing')
        ? whole.lastIndexOf(by)
        : -1;
    const parts =
      mode.startsWith('leading') || mode.startsWith('trailing')
        ? at < 0
          ? [whole]
          : [whole.slice(0, at), whole.slice(at + by.length)]
        : whole.split(by);
    return mode.includes('notrim') ? parts : parts.filter((part) => part !== '');
  },
  tokens: (s, separators) =>
    text(s)
      .split(new RegExp(`[${text(separators).replace(/[\\\]^-]/g, '\\$&')}]`))
      .filter((part) => part !== ''),
  replace: (s, from, to, how) => {
    const [whole, old, fresh] = [text(s), text(from), text(to)];
    const mode = direction(how, 'all');
    if (mode === 'all') return whole.split(old).join(fresh);
    const at = mode === 'leading' ? whole.indexOf(old) : whole.lastIndexOf(old);
    return at < 0 ? whole : whole.slice(0, at) + fresh + whole.slice(at + old.length);
  },
  regex_match: (s, pattern) => regex(pattern, 'u').test(text(s)),
  regex_replace: (s, pattern, by) =>
    text(s).replace(regex(pattern, 'gu'), text(by).replace(/\\(\d)/g, '$$$1')),
  json_decode: (s) => decoded(text(s)),
  json_encode: (value) => encodeJson(value),
  base64_encode: (s) => Buffer.from(text(s)).toString('base64'),
  base64_decode: (s) => {
    const clean = text(s);
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(clean) || clean.length % 4 !== 0) throw bad('not base64');
    return Buffer.from(clean, 'base64').toString('utf8');
  },
  md5: (s) => hash('md5', s),
  sha: (s) => hash('sha1', s),
  sha256: (s) => hash('sha256', s),
};

const lists: Record<string, Fn> = {
  nth: (at, items) => element(list(items), Number(integer(at))),
  length: (items) => BigInt(list(items).length),
  first: (items) => element(list(items), 1),
  last: (items) => element(list(items), list(items).length),
  contains: (value, items) => list(items).some((item) => identical(item, value)),
  map_get: (path, from, otherwise) => {
    let value: Value = map(from);
    for (const key of text(path).split('.')) value = isRow(value) ? value[key] : undefined;
    return value === undefined ? otherwise : value;
  },
};

const tests: Record<string, Fn> = {
  is_null: (v) => v === undefined,
  is_not_null: (v) => v !== undefined,
  is_null_var: (v) => v === undefined || v === null,
  is_not_null_var: (v) => v !== undefined && v !== null,
  is_str: (v) => typeof v === 'string',
  is_bool: (v) => typeof v === 'boolean',
  is_int: (v) => typeof v === 'bigint',
  is_float: (v) => typeof v === 'number',
  is_num: (v) => typeof v === 'bigint' || typeof v === 'number',
  is_map: (v) => isRow(v),
  is_array: (v) => Array.isArray(v),
  coalesce: (...values) => values.find((v) => v !== undefined),
};

const conversions: Record<string, Fn> = {
  int: (v) => {
    if (typeof v === 'bigint') return v;
    if (typeof v === 'boolean') return v ? 1n : 0n;
    const value = typeof v === 'number' ? v : Number(text(v).trim() || Number.NaN);
    if (!Number.isFinite(value)) throw bad('not a number');
    return typeof v === 'string' && /^-?\d+$/.test(v) ? BigInt(v) : BigInt(Math.floor(value));
  },
  float: (v, decimals) => {
    const value = typeof v === 'string' ? Number(v || Number.NaN) : number(v);
    if (!Number.isFinite(value)) throw bad('not a number');
    return decimals === undefined ? value : Number(value.toFixed(Number(integer(decimals))));
  },
  str: (v) => (isRow(v) || Array.isArray(v) ? encodeJson(v) : toText(v)),
  str_utf8: (v) => (isRow(v) || Array.isArray(v) ? encodeJson(v) : toText(v)),
  float2str: (v, decimals) => floatToText(number(v), Number(integer(decimals))),
  bool: (v) => {
    if (typeof v === 'boolean') return v;
    if (v === 1n || v === 'true') return true;
    if (v === 0n || v === 'false') return false;
    throw bad('not a boolean');
  },
};

const whole =
  (round: (value: number) => number): Fn =>
  (v) =>
    typeof v === 'bigint' ? v : BigInt(round(number(v)));
const numbers: Record<string, Fn> = {
  floor: whole(Math.floor),
  ceil: whole(Math.ceil),
  round: whole((v) => Math.sign(v) * Math.round(Math.abs(v))),
  abs: (v) => (typeof v === 'bigint' ? (v < 0n ? -v : v) : Math.abs(number(v))),
  random: () => Math.random(),
  uuid_v4: () => randomUUID(),
  uuid_v4_no_hyphen: () => randomUUID().replaceAll('-', ''),
};

const functions = new Map<string, Fn>(
  Object.entries({ ...strings, ...lists, ...tests, ...conversions, ...numbers, ...dateFunctions }),
);
/** Known to the broker as functions of an event, but a rule's SQL gets nothing from them. */
const empty = new Set([
  'topic',
  'clientid',
  'qos',
  'payload',
  'username',
  'peerhost',
  'msgid',
  'flags',
  'flag',
]);
const takesNothing = new Set(['random', 'uuid_v4', 'uuid_v4_no_hyphen', 'coalesce']);

export function call(name: string, args: Value[]): Value {
  if (empty.has(name)) return undefined;
  const fn = functions.get(name);
  if (!fn) throw bad(`unknown function ${name}`);
  if (args.length === 0 && !takesNothing.has(name) && !name.startsWith('now_'))
    throw bad(`${name} needs arguments`);
  return fn(...args);
}

function regex(pattern: Value, flags: string): RegExp {
  try {
    return new RegExp(text(pattern), flags);
  } catch {
    throw bad('bad regular expression');
  }
}

function hash(name: string, value: Value): string {
  return createHash(name).update(text(value)).digest('hex');
}
