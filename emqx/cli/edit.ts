/** Changes single values in a HOCON text; everything else, comments and layout, stays as it is. */
import { type HoconObject, type HoconValue, nodeAt } from '../hocon.ts';
import { isSettings, type Settings as Values } from '../schema.ts';

export interface Edit {
  /** Below the object. */
  path: string[];
  /** undefined: the entry goes. */
  value: HoconValue | undefined;
}

/**
 * `object` is what stands under the keys `above` in the text. Where a value is replaced its quoting stays; a new one goes
 * behind the last entry of the innermost object in braces.
 */
export function editText(text: string, object: HoconObject, above: string[], edits: Edit[]): string {
  // From the end, so that the places before stay right; each new entry goes behind those that stand there.
  const changes = edits.map((edit) => changeFor(text, object, above, edit)).sort((a, b) => b.start - a.start);
  for (const { start, end, by } of changes) text = text.slice(0, start) + by + text.slice(end);
  return text;
}

function changeFor(text: string, object: HoconObject, above: string[], { path, value }: Edit) {
  const node = nodeAt(object, ...path);
  if (value === undefined) return node ? removal(text, node.span) : { start: 0, end: 0, by: '' };
  if (node) {
    const { start, end } = node.span;
    return { start, end, by: writeValue(value, text.slice(start, end)) };
  }
  for (let depth = path.length - 1; depth >= 0; depth--) {
    const parent = nodeAt(object, ...path.slice(0, depth));
    if (parent?.kind === 'object' && text[parent.span.start] === '{')
      return insertion(text, parent, `${keyOf(path.slice(depth))} = ${writeValue(value)}`);
  }
  return {
    start: text.length,
    end: text.length,
    by: `\n${keyOf([...above, ...path])} = ${writeValue(value)}\n`,
  };
}

function insertion(text: string, object: HoconObject, entry: string) {
  const close = object.span.end - 1;
  const last = [...object.entries.values()]
    .filter(({ span }) => span.file === object.span.file && span.end <= close)
    .sort((a, b) => a.span.end - b.span.end)
    .at(-1);
  if (!last) return { start: object.span.start + 1, end: object.span.start + 1, by: ` ${entry} ` };
  const lineEnd = text.indexOf('\n', last.span.end);
  if (lineEnd < 0 || lineEnd > close) return { start: last.span.end, end: last.span.end, by: `, ${entry}` };
  const lineStart = text.lastIndexOf('\n', last.span.key) + 1;
  const indent = /^[ \t]*/.exec(text.slice(lineStart))![0];
  return { start: lineEnd, end: lineEnd, by: `\n${indent}${entry}` };
}

/** The entry with its comma, and its line when nothing else is on it. */
function removal(text: string, { key, end }: { key: number; end: number }) {
  const behind = /^[ \t]*,?[ \t]*/.exec(text.slice(end))![0].length;
  const lineStart = text.lastIndexOf('\n', key - 1) + 1;
  const alone = text.slice(lineStart, key).trim() === '' && /^(\r?\n|$)/.test(text.slice(end + behind));
  if (!alone) return { start: key, end: end + behind, by: '' };
  const lineEnd = text.indexOf('\n', end + behind);
  return { start: lineStart, end: lineEnd < 0 ? text.length : lineEnd + 1, by: '' };
}

/** A value in HOCON; `like` is the text that it replaces. */
export function writeValue(value: HoconValue, like = ''): string {
  if (Array.isArray(value)) return `[${value.map((item) => writeValue(item)).join(', ')}]`;
  if (isSettings(value)) return writeObject(value, '');
  if (typeof value !== 'string') return String(value);
  const bare = like !== '' && !like.startsWith('"') && /^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(value);
  if (bare && !/^(true|false|null|-?\d+)$/.test(value)) return value;
  const raw =
    (like.startsWith('"""') || /["\n]/.test(value)) && !value.includes('"""') && !value.endsWith('"');
  return raw ? `"""${value}"""` : JSON.stringify(value);
}

/** An object over several lines, each indented by two more than `indent`. */
export function writeObject(object: Values, indent: string): string {
  const lines = Object.entries(object).map(([key, value]) =>
    isSettings(value)
      ? `${indent}  ${keyOf([key])} ${writeObject(value, `${indent}  `)}`
      : `${indent}  ${keyOf([key])} = ${writeValue(value)}`,
  );
  return `{\n${lines.join('\n')}\n${indent}}`;
}

function keyOf(path: string[]): string {
  return path.map((key) => (/^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key))).join('.');
}
