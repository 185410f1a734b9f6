import { CaError } from './client.ts';

const maxDepth = 24;
const maxElements = 2_000;

/**
 * Refuses what is BER but not DER before a recursive parser sees it: indefinite and non-minimal lengths (X.690 §10.1),
 * trailing bytes, high tag numbers (PKCS#10 has none), nesting that could exhaust the stack.
 * @throws CaError csr_malformed
 */
export function checkDer(bytes: Uint8Array): void {
  const ends: number[] = [bytes.length];
  let offset = 0;
  for (let elements = 0; ; elements += 1) {
    while (ends.length > 1 && offset === ends[ends.length - 1]) ends.pop();
    if (offset === bytes.length) {
      if (elements === 0) throw malformed('it is empty');
      return;
    }
    if (elements > maxElements) throw malformed('it has too many elements');
    if (ends.length === 1 && elements > 0) throw malformed('bytes follow its end');
    const end = ends[ends.length - 1] ?? 0;
    const header = readHeader(bytes, offset, end);
    if (header.constructed) {
      if (ends.length > maxDepth) throw malformed('it is nested too deeply');
      ends.push(header.end);
      offset = header.start;
    } else {
      offset = header.end;
    }
  }
}

function readHeader(bytes: Uint8Array, offset: number, limit: number) {
  const tag = bytes[offset] ?? 0;
  if ((tag & 0x1f) === 0x1f) throw malformed('it has a high tag number');
  let cursor = offset + 1;
  if (cursor >= limit) throw malformed('an element is cut off');
  let length = bytes[cursor] ?? 0;
  cursor += 1;
  if (length >= 0x80) {
    const octets = length & 0x7f;
    if (octets === 0 || octets > 3) throw malformed('an element has an indefinite or absurd length');
    if (cursor + octets > limit) throw malformed('an element is cut off');
    length = 0;
    for (let index = 0; index < octets; index += 1) length = length * 256 + (bytes[cursor + index] ?? 0);
    cursor += octets;
    const minimal = length >= 0x80 && length >= 256 ** (octets - 1);
    if (!minimal) throw malformed('a length is not minimal');
  }
  if (cursor + length > limit) throw malformed('an element is longer than what holds it');
  return { constructed: (tag & 0x20) !== 0, start: cursor, end: cursor + length };
}

export interface Element {
  tag: number;
  /** First octet of the element, of its content, and the one behind it. */
  at: number;
  start: number;
  end: number;
}

/** The elements side by side from `start` to `end`, of bytes that checkDer() has passed. */
export function readElements(bytes: Uint8Array, start: number, end: number): Element[] {
  const found: Element[] = [];
  for (let at = start; at < end; ) {
    const header = readHeader(bytes, at, end);
    found.push({ tag: bytes[at] ?? 0, at, start: header.start, end: header.end });
    at = header.end;
  }
  return found;
}

function malformed(why: string): CaError {
  return new CaError('csr_malformed', `not DER: ${why}`);
}
