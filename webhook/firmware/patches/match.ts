/** Where the old image holds what comes next in the new one: a table of all its pieces of 8 bytes, of which equal ones are chained. */

const pieceBytes = 8;
/** So many places of one piece are looked at: an image full of the same bytes costs no more than any other. */
const maxTries = 48;
/** As much as can be told at a glance from the best: longer ones are not looked for. */
const longEnough = 4096;

export interface Match {
  at: number;
  bytes: number;
}

/** The table: 4 bytes for each of the image's, and as many again at most. */
export class Matcher {
  readonly #old: Uint8Array;
  readonly #next: Uint8Array;
  readonly #first: Int32Array;
  readonly #chain: Int32Array;
  readonly #shift: number;

  constructor(old: Uint8Array, next: Uint8Array) {
    this.#old = old;
    this.#next = next;
    const bits = Math.min(22, Math.max(8, Math.ceil(Math.log2(old.length + 1))));
    this.#shift = 32 - bits;
    this.#first = new Int32Array(2 ** bits).fill(-1);
    this.#chain = new Int32Array(old.length);
    // From the end, so that the nearest of equal places comes first, whichever way one looks at it.
    for (let at = old.length - pieceBytes; at >= 0; at--) {
      const key = this.#key(old, at);
      this.#chain[at] = this.#first[key]!;
      this.#first[key] = at;
    }
  }

  /** The longest, or at least a long one; of equal ones that at `preferred`. Nothing shorter than a piece is found. */
  find(from: number, preferred: number): Match {
    let best = { at: preferred, bytes: this.lengthAt(preferred, from) };
    if (best.bytes < pieceBytes) best = { at: 0, bytes: 0 };
    if (from + pieceBytes > this.#next.length || best.bytes >= longEnough) return best;
    let at = this.#first[this.#key(this.#next, from)]!;
    for (let tries = 0; at >= 0 && tries < maxTries; tries++) {
      // Only what is longer than the best so far is worth comparing whole.
      if (this.#old[at + best.bytes] === this.#next[from + best.bytes]) {
        const bytes = this.lengthAt(at, from);
        if (bytes > best.bytes) best = { at, bytes };
        if (bytes >= longEnough) break;
      }
      at = this.#chain[at]!;
    }
    return best.bytes < pieceBytes ? { at: 0, bytes: 0 } : best;
  }

  lengthAt(at: number, from: number): number {
    if (at < 0) return 0;
    const most = Math.min(this.#old.length - at, this.#next.length - from, 65_536);
    let bytes = 0;
    while (bytes < most && this.#old[at + bytes] === this.#next[from + bytes]) bytes++;
    return bytes;
  }

  #key(of: Uint8Array, at: number): number {
    const low = of[at]! | (of[at + 1]! << 8) | (of[at + 2]! << 16) | (of[at + 3]! << 24);
    const high = of[at + 4]! | (of[at + 5]! << 8) | (of[at + 6]! << 16) | (of[at + 7]! << 24);
    return Math.imul(Math.imul(low, 0x9e37_79b1) ^ (high + (low >>> 15)), 0x85eb_ca6b) >>> this.#shift;
  }
}
