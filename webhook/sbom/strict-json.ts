/**
 * JSON of strangers: JSON.parse overflows nothing, but lets the last of two equal keys win without a word, so that two readers see two
 * documents. This refuses such keys, and nesting that whoever walks it would have to survive.
 */
export const maxDepth = 64;

/** @throws SyntaxError with the line */
export function parseStrictJson(text: string): unknown {
  check(text);
  return JSON.parse(text) as unknown;
}

/** Strings, and what opens, closes and parts; the rest is JSON.parse's to judge. One that is never closed is a string, too, or each quote within it would be tried to the end. */
const tokens = /"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?$)|[{}[\]:,]/gs;

function check(text: string): void {
  /** Of each object that is open its keys, of each array null. */
  const open: (Set<string> | null)[] = [];
  let key: string | null = null;
  for (const { 0: token, index } of text.matchAll(tokens)) {
    const keys = open.at(-1);
    if (token === '{' || token === '[') {
      if (open.length >= maxDepth) throw fault(text, index, `nests deeper than ${maxDepth}`);
      open.push(token === '{' ? new Set() : null);
      key = null;
    } else if (token === '}' || token === ']') {
      open.pop();
      key = null;
    } else if (token === ':') {
      if (!keys || key === null) continue;
      // One key may be written in several ways.
      const name = key.includes('\\') ? (JSON.parse(key) as string) : key.slice(1, -1);
      if (keys.has(name)) throw fault(text, index, `has the key ${name.slice(0, 40)} twice`);
      keys.add(name);
    } else key = token === ',' ? null : token;
  }
}

function fault(text: string, index: number, what: string): SyntaxError {
  const line = text.slice(0, index).split('\n').length;
  return new SyntaxError(`line ${line}: ${what}`);
}
