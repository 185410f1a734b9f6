/** The two ways a patch is compressed, as detools has them. Heatshrink is LZSS with a small window; crle only shortens runs of one byte. */

export const windowBits = 10;
/** Lengths of copies are written in so many bits: short for many small changes, long for much that has stayed. */
export const lengthBits = [4, 5, 6, 7, 9];

const leastRun = 6;
/**
 * The longest match of each place within the window before it: length and distance. 4 bytes for each of the text's. The places of the window are kept
 * in one binary tree for each two bytes, ordered by what follows, the newest on top (as LZMA's BT match finder), so that all of them are looked at:
 * patches are mostly zeros, and a search through the nearest few misses the long matches.
 */
class Copies {
  readonly bytes: Uint16Array;
  readonly back: Uint16Array;

  constructor(text: Uint8Array) {
    const window = 2 ** windowBits;
    const ring = window + 1;
    const most = 2 ** Math.max(...lengthBits);
    this.bytes = new Uint16Array(text.length);
    this.back = new Uint16Array(text.length);
    const tops = new Int32Array(65_536).fill(-1);
    // Of each place: the tree of what is less, and of what is more.
    const below = new Int32Array(2 * ring).fill(-1);
    for (let at = 0; at + 1 < text.length; at++) {
      const key = text[at]! | (text[at + 1]! << 8);
      const limit = Math.min(most, text.length - at);
      let from = tops[key]!;
      tops[key] = at;
      // Where the next that is less, and the next that is more, will hang; and how much of them is equal at least.
      let less = (at % ring) * 2;
      let more = less + 1;
      let lessBytes = 0;
      let moreBytes = 0;
      let best = 0;
      for (;;) {
        if (from < 0 || at - from > window) {
          below[less] = below[more] = -1;
          break;
        }
        const its = (from % ring) * 2;
        let bytes = Math.min(lessBytes, moreBytes);
        while (bytes < limit && text[from + bytes] === text[at + bytes]) bytes++;
        if (bytes > best) {
          best = bytes;
          this.back[at] = at - from;
        }
        if (bytes === limit) {
          below[less] = below[its]!;
          below[more] = below[its + 1]!;
          break;
        }
        if (text[from + bytes]! < text[at + bytes]!) {
          below[less] = from;
          less = its + 1;
          from = below[less]!;
          lessBytes = bytes;
        } else {
          below[more] = from;
          more = its;
          from = below[more]!;
          moreBytes = bytes;
        }
      }
      this.bytes[at] = best;
    }
  }
}

/** Fewest bits: of a copy that fits the longest is always best, so each place chooses between that and one byte. 4 bytes for each of the text's. */
function cheapest(text: Uint8Array, copies: Copies, length: number): { bits: number; isCopy: Uint8Array } {
  const copyBits = 1 + windowBits + length;
  const most = 2 ** length;
  const bits = new Uint32Array(text.length + 1);
  const isCopy = new Uint8Array(text.length);
  for (let at = text.length - 1; at >= 0; at--) {
    const byByte = 9 + bits[at + 1]!;
    const bytes = Math.min(copies.bytes[at]!, most);
    const byCopy = bytes > 0 ? copyBits + bits[at + bytes]! : Infinity;
    isCopy[at] = byCopy < byByte ? 1 : 0;
    bits[at] = Math.min(byByte, byCopy);
  }
  return { bits: bits[0]!, isCopy };
}

/** With its first byte, which tells the sizes. The shortest of those that `lengthBits` gives. */
export function heatshrink(text: Uint8Array): Uint8Array {
  const copies = new Copies(text);
  let best: { length: number; bits: number; isCopy: Uint8Array } | null = null;
  for (const length of lengthBits) {
    const way = cheapest(text, copies, length);
    if (!best || way.bits < best.bits) best = { length, ...way };
  }
  const { length, bits, isCopy } = best!;
  const out = new Uint8Array(1 + Math.ceil(bits / 8));
  out[0] = ((windowBits - 4) << 4) | (length - 3);
  let used = 8;
  const put = (value: number, count: number) => {
    for (let i = count - 1; i >= 0; i--, used++) if ((value >> i) & 1) out[used >> 3]! |= 0x80 >> (used & 7);
  };
  for (let at = 0; at < text.length; ) {
    if (isCopy[at]) {
      const bytes = Math.min(copies.bytes[at]!, 2 ** length);
      put(0, 1);
      put(copies.back[at]! - 1, windowBits);
      put(bytes - 1, length);
      at += bytes;
    } else {
      put(0x100 | text[at++]!, 9);
    }
  }
  return out;
}

export function crle(text: Uint8Array): Uint8Array {
  const out: Uint8Array[] = [];
  const scattered = (from: number, to: number) => {
    if (to > from) out.push(Uint8Array.of(0, ...runLength(to - from)), text.subarray(from, to));
  };
  let from = 0;
  for (let at = 0; at < text.length; ) {
    let end = at + 1;
    while (end < text.length && text[end] === text[at]) end++;
    if (end - at >= leastRun) {
      scattered(from, at);
      out.push(Uint8Array.of(1, ...runLength(end - at), text[at]!));
      from = end;
    }
    at = end;
  }
  scattered(from, text.length);
  return Buffer.concat(out);
}

function runLength(value: number): number[] {
  return value < 128 ? [value] : [(value & 0x7f) | 0x80, ...runLength(value >>> 7)];
}
