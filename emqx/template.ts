/** `${path}` templates of an HTTP action: values go in raw and unescaped, `${.}` is the whole row as JSON. */
import { encodeJson, isRow, lookUp, type Row, type Value } from './json.ts';

export type Template = (row: Row) => Buffer;
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
  readonly code = 'template_unsupported';
}

/** What an action without a body sends. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is EMQX's, not JavaScript's
export const wholeRow = '${.}';

/** Compiles once, which throws TemplateError for what only EMQX has; rendering never fails. */
export function compileTemplate(template: string): Template {
  const pieces = template.split(/\$\{(\$|\.|\.?[^${}\s]+)\}/);
  // Every second piece is what stood in braces.
  const parts = pieces.map((piece, i): string | string[] => {
    if (i % 2 === 0 || piece === '$') return piece;
    if (piece.includes('['))
      throw new TemplateError(`the stand-in does not support an index in a template: \${${piece}}`);
    return piece === '.' ? [] : piece.replace(/^\./, '').split('.');
  });
  return (row) =>
    Buffer.concat(
      parts.map((part) => {
        if (typeof part === 'string') return Buffer.from(part);
        return part.length === 0 ? Buffer.from(encodeJson(row)) : asText(lookUp(row, part));
      }),
    );
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

/** At most 10 decimals, at least one. */
function floatToText(value: number): string {
  if (Math.abs(value) >= 1e21) return `${BigInt(value)}.0`;
  return value.toFixed(10).replace(/(\.\d+?)0+$/, '$1');
}

function isPrintable(value: Value): boolean {
  if (typeof value !== 'bigint') return false;
  return (value >= 32n && value <= 126n) || (value >= 8n && value <= 13n) || value === 27n;
}
