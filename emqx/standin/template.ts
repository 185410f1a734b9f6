/** `${path}` templates of an HTTP action: values go in raw and unescaped, `${.}` is the whole row as JSON. */
import { decodeJson, encodeJson, floatToText, isRow, type Row, type Value } from './json.ts';

export type Template = (row: Row) => Buffer;

/** What an action without a body sends. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is EMQX's, not JavaScript's
export const wholeRow = '${.}';

/** Compiles once; rendering never fails. */
export function compileTemplate(template: string): Template {
  const parts: (string | string[])[] = [];
  let at = 0;
  for (const match of template.matchAll(/\$\{(\$|\.|\.?[^${}\s]+)\}/g)) {
    if (match.index > at) parts.push(template.slice(at, match.index));
    const name = match[1]!;
    parts.push(name === '$' ? name : name === '.' ? [] : name.replace(/^\./, '').split('.'));
    at = match.index + match[0].length;
  }
  if (at < template.length) parts.push(template.slice(at));
  return (row) =>
    Buffer.concat(
      parts.map((part) => {
        if (typeof part === 'string') return Buffer.from(part);
        return part.length === 0 ? Buffer.from(encodeJson(row)) : asText(lookUp(row, part));
      }),
    );
}

function lookUp(row: Row, path: string[]): Value {
  let at: Value = row;
  for (const key of path) {
    if (typeof at === 'string' || Buffer.isBuffer(at)) at = decoded(String(at));
    at = isRow(at) ? at[key] : undefined;
  }
  return at;
}

function decoded(text: string): Value {
  try {
    return decodeJson(text);
  } catch {
    return undefined;
  }
}

function asText(value: Value): Buffer {
  if (Buffer.isBuffer(value)) return value;
  if (typeof value === 'number') return Buffer.from(floatToText(value));
  // Erlang cannot tell a list of character codes from a text.
  if (Array.isArray(value) && value.every(isPrintable))
    return Buffer.from(String.fromCodePoint(...value.map(Number)));
  if (Array.isArray(value) || isRow(value)) return Buffer.from(encodeJson(value));
  return Buffer.from(String(value));
}

function isPrintable(value: Value): boolean {
  return (
    typeof value === 'bigint' &&
    ((value >= 32n && value <= 126n) || (value >= 8n && value <= 13n) || value === 27n)
  );
}
