/** The functions of rule SQL that rules for devices use. An unknown name fails the rule, as it does on the broker. */
import { createHash, randomUUID } from 'node:crypto';
import { decodeJson, encodeJson, floatToText, isRow, newRow, type Row, type Value } from '../json.ts';
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
  find: (s, part, how) => {
    const [whole, sought] = [text(s), text(part)];
    const at = direction(how, 'leading') === 'trailing' ? whole.lastIndexOf(sought) : whole.indexOf(sought);
    return at < 0 ? '' : whole.slice(at);
  },
  pad: (s, length, how, fill) => {
    const [whole, width] = [text(s), Number(integer(length))];
    const char = fill === undefined ? ' ' : text(fill);
    return direction(how, 'trailing') === 'leading' ? whole.padStart(width, char) : whole.padEnd(width, char);
  },
  sprintf: (format, ...args) => {
    let used = 0;
    return text(format).replace(/~([spw~])/g, (_, sign) => (sign === '~' ? '~' : toText(args[used++])));
  },
  json_decode: (s) => decoded(text(s)),
  json_encode: (value) => encodeJson(value),
  base64_encode: (s) => Buffer.from(text(s)).toString('base64'),
  base64_decode: (s) => {
    const clean = text(s);
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(clean) || clean.length % 4 !== 0) throw bad('not base64');
    return Buffer.from(clean, 'base64').toString('utf8');
  },
  bin2hexstr: (s) => Buffer.from(text(s)).toString('hex').toUpperCase(),
  hexstr2bin: (s) => Buffer.from(text(s), 'hex').toString('utf8'),
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
  sublist: (...args) => {
    const from = args.length === 3 ? Number(integer(args[0])) - 1 : 0;
    const size = Number(integer(args[args.length - 2]));
    return list(args.at(-1)).slice(from, from + size);
  },
  map_get: (path, from, otherwise) => {
    let value: Value = map(from);
    for (const key of text(path).split('.')) value = isRow(value) ? value[key] : undefined;
    return value === undefined ? otherwise : value;
  },
  map_put: (path, value, into) => {
    const keys = text(path).split('.');
    // The broker keeps nothing of a JSON text that it puts into.
    const whole = isRow(into) ? newRow(into) : newRow();
    let row = whole;
    for (const key of keys.slice(0, -1)) {
      const old = row[key];
      const child = newRow(isRow(old) ? old : undefined);
      row[key] = child;
      row = child;
    }
    row[keys.at(-1)!] = value;
    return whole;
  },
  map_keys: (from) => Object.keys(map(from)),
  map_values: (from) => Object.values(map(from)),
  map_size: (from) => BigInt(Object.keys(map(from)).length),
  map_to_entries: (from) =>
    Object.entries(map(from)).map(([key, value]) => Object.assign(newRow(), { key, value })),
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
  coalesce_ne: (...values) => values.find((v) => v !== undefined && v !== ''),
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
const real =
  (of: (...values: number[]) => number): Fn =>
  (...values) => {
    const result = of(...values.map(number));
    if (!Number.isFinite(result)) throw bad('no finite result');
    return result;
  };
const bits =
  (of: (a: bigint, b: bigint) => bigint): Fn =>
  (a, b) =>
    of(integer(a), integer(b));

const numbers: Record<string, Fn> = {
  floor: whole(Math.floor),
  ceil: whole(Math.ceil),
  round: whole((v) => Math.sign(v) * Math.round(Math.abs(v))),
  abs: (v) => (typeof v === 'bigint' ? (v < 0n ? -v : v) : Math.abs(number(v))),
  sqrt: real(Math.sqrt),
  power: real((a, b) => a! ** b!),
  exp: real(Math.exp),
  log: real(Math.log),
  log10: real(Math.log10),
  log2: real(Math.log2),
  random: () => Math.random(),
  bitand: bits((a, b) => a & b),
  bitor: bits((a, b) => a | b),
  bitxor: bits((a, b) => a ^ b),
  bitsl: bits((a, b) => a << b),
  bitsr: bits((a, b) => a >> b),
  bitnot: (a) => ~integer(a),
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
const takesNothing = new Set(['random', 'uuid_v4', 'uuid_v4_no_hyphen', 'coalesce', 'coalesce_ne']);

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
