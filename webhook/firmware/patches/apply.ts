/** Applies a patch as a device does, in memory: whoever has made one looks at what it makes before anybody else gets it. */

class Reader {
  readonly #text: Uint8Array;
  #at = 0;

  constructor(text: Uint8Array) {
    this.#text = text;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  byte(): number {
    if (this.isAtEnd) throw new RangeError('the patch is cut off');
    return this.#text[this.#at++]!;
  }

  bytes(count: number): Uint8Array {
    if (count < 0 || count > this.#text.length - this.#at) throw new RangeError('the patch is cut off');
    this.#at += count;
    return this.#text.subarray(this.#at - count, this.#at);
  }

  number(): number {
    let byte = this.byte();
    const sign = byte & 0x40 ? -1 : 1;
    let value = byte & 0x3f;
    for (let weight = 64; byte & 0x80; weight *= 128) {
      byte = this.byte();
      value += (byte & 0x7f) * weight;
    }
    return sign * value;
  }

  rest(): Uint8Array {
    return this.bytes(this.#text.length - this.#at);
  }
}

/** `most`: what comes out of it at most; a few bytes may stand for very many. */
function unpackCrle(packed: Uint8Array, most: number): Uint8Array {
  const reader = new Reader(packed);
  const out: Uint8Array[] = [];
  let bytes = 0;
  while (!reader.isAtEnd) {
    const isRun = reader.byte() === 1;
    let length = 0;
    let byte: number;
    let weight = 1;
    do {
      byte = reader.byte();
      length += (byte & 0x7f) * weight;
      weight *= 128;
    } while (byte & 0x80);
    bytes += length;
    if (bytes > most) throw new RangeError('the patch is longer than any for the image');
    out.push(isRun ? new Uint8Array(length).fill(reader.byte()) : reader.bytes(length));
  }
  return Buffer.concat(out);
}

function unpackHeatshrink(packed: Uint8Array, most: number): Uint8Array {
  const windowBits = (packed[0]! >> 4) + 4;
  const lengthBits = (packed[0]! & 15) + 3;
  const out = new Uint8Array(most);
  let bytes = 0;
  let at = 8;
  const take = (count: number) => {
    let value = 0;
    for (let i = 0; i < count; i++, at++) value = (value << 1) | ((packed[at >> 3]! >> (7 - (at & 7))) & 1);
    return value;
  };
  const end = packed.length * 8;
  while (at + 9 <= end && bytes < most) {
    if (take(1) === 1) {
      out[bytes++] = take(8);
      continue;
    }
    if (at + windowBits + lengthBits > end) break;
    const back = take(windowBits) + 1;
    for (let left = take(lengthBits) + 1; left > 0 && bytes < most; left--, bytes++)
      out[bytes] = bytes >= back ? out[bytes - back]! : 0;
  }
  return out.subarray(0, bytes);
}

function unpack(compression: number, packed: Uint8Array, most: number): Uint8Array {
  if (compression === 0) return packed;
  if (compression === 2) return unpackCrle(packed, most);
  if (compression === 4) return unpackHeatshrink(packed, most);
  throw new RangeError('the patch is compressed in a way that is not known');
}

/** Throws a RangeError when it is no patch, or not one for this image. */
export function applyPatch(old: Uint8Array, patch: Uint8Array): Uint8Array {
  const head = new Reader(patch);
  const kind = head.byte();
  if (kind > 15) throw new RangeError('the patch is of another type');
  const next = new Uint8Array(head.number());
  // All new bytes, and for each of them three numbers at most.
  const text = new Reader(unpack(kind, head.rest(), next.length * 8 + 1024));
  if (text.number() !== 0) throw new RangeError('the patch rewrites code');
  let made = 0;
  let at = 0;
  while (made < next.length) {
    const piece = text.bytes(text.number());
    if (at < 0 || at + piece.length > old.length || piece.length > next.length - made)
      throw new RangeError('the patch reaches outside');
    for (let i = 0; i < piece.length; i++) next[made++] = piece[i]! + old[at++]!;
    const fresh = text.bytes(text.number());
    next.set(fresh, made);
    made += fresh.length;
    at += text.number();
  }
  return next;
}
