/**
 * JSON as the broker sees it: integers of any size stay apart from floats (`2` is not `2.0`), so integers are bigint and
 * floats are number. A missing value is undefined, which the broker prints as the text "undefined".
 */
export type Value = string | number | bigint | boolean | null | undefined | Buffer | Value[] | Row;
export interface Row {
  [key: string]: Value;
}

export function newRow(from?: Row): Row {
  return Object.assign(Object.create(null), from);
}

export function isRow(value: Value): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value);
}

/** Throws SyntaxError on anything that is not one JSON value. */
export function decodeJson(text: string): Value {
  let at = 0;
  const fail = () => new SyntaxError(`bad JSON at ${at}`);
  // Control characters in a string are JSON.parse's to refuse.
  const token =
    /[ \t\n\r]*(?:([{}[\],:])|("(?:[^"\\]|\\.)*")|(-?(?:0|[1-9]\d*))(\.\d+)?([eE][+-]?\d+)?|(true|false|null))/y;
  const next = (): RegExpExecArray => {
    token.lastIndex = at;
    const match = token.exec(text);
    if (!match) throw fail();
    at = token.lastIndex;
    return match;
  };
  const value = (match: RegExpExecArray, depth: number): Value => {
    if (depth > 512) throw fail();
    if (match[2] !== undefined) return JSON.parse(match[2]);
    if (match[3] !== undefined) {
      if (match[4] === undefined && match[5] === undefined) return BigInt(match[3]);
      return Number(match[3] + (match[4] ?? '') + (match[5] ?? ''));
    }
    if (match[6] !== undefined) return match[6] === 'null' ? null : match[6] === 'true';
    if (match[1] === '[') {
      const list: Value[] = [];
      let item = next();
      if (item[1] === ']') return list;
      for (;;) {
        list.push(value(item, depth + 1));
        const after = next()[1];
        if (after === ']') return list;
        if (after !== ',') throw fail();
        item = next();
      }
    }
    if (match[1] !== '{') throw fail();
    const row = newRow();
    let key = next();
    if (key[1] === '}') return row;
    for (;;) {
      if (key[2] === undefined || next()[1] !== ':') throw fail();
      row[JSON.parse(key[2])] = value(next(), depth + 1);
      const after = next()[1];
      if (after === '}') return row;
      if (after !== ',') throw fail();
      key = next();
    }
  };
  const whole = value(next(), 0);
  if (text.slice(at).trim() !== '') throw fail();
  return whole;
}

/** Bytes that are not UTF-8 are replaced, as the broker does. */
export function encodeJson(value: Value): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'bigint':
    case 'boolean':
      return String(value);
    case 'number':
      return floatText(value);
    case 'undefined':
      return '"undefined"';
  }
  if (value === null) return 'null';
  if (Buffer.isBuffer(value)) return JSON.stringify(value.toString('utf8'));
  if (Array.isArray(value)) return `[${value.map(encodeJson).join(',')}]`;
  return `{${Object.entries(value)
    .map(([key, child]) => `${JSON.stringify(key)}:${encodeJson(child)}`)
    .join(',')}}`;
}

function floatText(value: number): string {
  const text = String(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

/** A float as the broker writes it in text: at most 10 decimals, at least one. */
export function floatToText(value: number, decimals = 10): string {
  if (Math.abs(value) >= 1e21) return `${BigInt(value)}.0`;
  const text = value.toFixed(decimals).replace(/0+$/, '');
  return text.includes('.') ? (text.endsWith('.') ? `${text}0` : text) : `${text}.0`;
}

/** From what JavaScript has to what the rules compute with: whole numbers become integers. */
export function fromJs(value: unknown): Value {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(fromJs);
  if (typeof value === 'object' && value !== null && !Buffer.isBuffer(value)) {
    const row = newRow();
    for (const [key, child] of Object.entries(value)) row[key] = fromJs(child);
    return row;
  }
  return value as Value;
}
