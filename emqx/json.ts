/**
 * JSON as the broker sees it: integers of any size stay apart from floats (`2` is not `2.0`), so integers are bigint and
 * floats are number. A missing value is undefined, which the broker prints as the text "undefined".
 */
export type Value = string | number | bigint | boolean | null | undefined | Buffer | Value[] | Row;
export interface Row {
  [key: string]: Value;
}

export function newRow(from?: object): Row {
  return Object.assign(Object.create(null), from);
}

export function isRow(value: Value): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value);
}

/** What a path leads to. Into a text that is JSON it goes as well; any other text has nothing inside. */
export function lookUp(value: Value, path: string[]): Value {
  let at = value;
  for (const step of path) {
    if (typeof at === 'string' || Buffer.isBuffer(at)) at = inText(at);
    at = isRow(at) ? at[step] : undefined;
  }
  return at;
}

function inText(text: string | Buffer): Value {
  try {
    return decodeJson(String(text));
  } catch {
    return undefined;
  }
}

const textOrNumber = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;
const isNumber = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const maxDepth = 512;

/** Throws SyntaxError on anything that is not one JSON value. */
export function decodeJson(text: string): Value {
  // Numbers go through JSON.parse as texts, for it rounds large integers and forgets a float's `.0`.
  const marked = text.replace(textOrNumber, (token) => {
    if (token.startsWith('"')) return `"t${token.slice(1)}`;
    return isNumber.test(token) ? `"n${token}"` : token;
  });
  return unmarked(JSON.parse(marked), 0);
}

function unmarked(value: unknown, depth: number): Value {
  if (depth > maxDepth) throw new SyntaxError('JSON that is nested too deeply');
  if (typeof value === 'string') {
    const text = value.slice(1);
    if (value.startsWith('t')) return text;
    return /[.eE]/.test(text) ? Number(text) : BigInt(text);
  }
  if (Array.isArray(value)) return value.map((item) => unmarked(item, depth + 1));
  if (typeof value !== 'object' || value === null) return value as boolean | null;
  const row = newRow();
  for (const [key, child] of Object.entries(value)) row[key.slice(1)] = unmarked(child, depth + 1);
  return row;
}

/** Bytes that are not UTF-8 are replaced, as the broker does. */
export function encodeJson(value: Value): string {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number')
    return Number.isInteger(value) && Math.abs(value) < 1e21 ? `${value}.0` : String(value);
  if (value === undefined) return '"undefined"';
  if (Buffer.isBuffer(value)) return JSON.stringify(value.toString('utf8'));
  if (Array.isArray(value)) return `[${value.map(encodeJson).join(',')}]`;
  if (!isRow(value)) return JSON.stringify(value);
  const entries = Object.entries(value).map(([key, child]) => `${JSON.stringify(key)}:${encodeJson(child)}`);
  return `{${entries.join(',')}}`;
}

/** From what JavaScript has to what the rules compute with: whole numbers become integers. */
export function fromJs(value: unknown): Value {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(fromJs);
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value as Value;
  return newRow(Object.fromEntries(Object.entries(value).map(([key, child]) => [key, fromJs(child)])));
}
