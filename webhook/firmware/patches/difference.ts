/** What a patch says before it is compressed: pieces of difference to the old image, new bytes, and where the old one is read next. */
import { Matcher } from './match.ts';

/** A match must explain so many bytes more than going on as before does: each change of place costs a few bytes of the patch. */
const worth = 8;

/** Grows as needed. */
class Bytes {
  #data = new Uint8Array(65_536);
  #used = 0;

  get taken(): Uint8Array {
    return this.#data.subarray(0, this.#used);
  }

  add(bytes: Uint8Array): void {
    this.#make(bytes.length);
    this.#data.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  /** Sign and 6 bits, then 7 bits each, lowest first. */
  addNumber(value: number): void {
    this.#make(6);
    let rest = Math.abs(value);
    let byte = (value < 0 ? 0x40 : 0) | (rest & 0x3f);
    rest = Math.floor(rest / 64);
    while (rest > 0) {
      this.#data[this.#used++] = byte | 0x80;
      byte = rest & 0x7f;
      rest = Math.floor(rest / 128);
    }
    this.#data[this.#used++] = byte;
  }

  #make(bytes: number): void {
    if (this.#used + bytes <= this.#data.length) return;
    const larger = new Uint8Array(Math.max(this.#data.length * 2, this.#used + bytes));
    larger.set(this.taken);
    this.#data = larger;
  }
}

export function packNumber(value: number): Uint8Array {
  const bytes = new Bytes();
  bytes.addNumber(value);
  return bytes.taken;
}

/** bsdiff's way (C. Percival, "Naive differences of executable code"): exact matches, grown over bytes of which most are equal. */
export function difference(old: Uint8Array, next: Uint8Array): Uint8Array {
  const out = new Bytes();
  const matcher = new Matcher(old, next);
  // No rewriting of code for one processor.
  out.addNumber(0);
  let scan = 0;
  let bytes = 0;
  let at = 0;
  let lastScan = 0;
  let lastAt = 0;
  let lastOffset = 0;
  while (scan < next.length) {
    scan += bytes;
    let score = 0;
    bytes = 0;
    for (let counted = scan; scan < next.length; scan++) {
      ({ at, bytes } = matcher.find(scan, scan + lastOffset));
      for (; counted < scan + bytes; counted++) if (old[counted + lastOffset] === next[counted]) score++;
      if ((bytes === score && bytes > 0) || bytes > score + worth) break;
      if (counted > scan && old[scan + lastOffset] === next[scan]) score--;
      else if (counted <= scan) counted = scan + 1;
    }
    if (bytes === score && scan < next.length) continue;
    const end = Math.min(scan, next.length);
    const forward = growForward(old, next, lastAt, lastScan, end);
    const backward = end < next.length ? growBackward(old, next, at, end, lastScan) : 0;
    const [grown, back] = meet(old, next, { lastAt, lastScan, forward, at, scan: end, backward });
    out.addNumber(grown);
    const piece = new Uint8Array(grown);
    for (let i = 0; i < grown; i++) piece[i] = next[lastScan + i]! - old[lastAt + i]!;
    out.add(piece);
    const fresh = next.subarray(lastScan + grown, end - back);
    out.addNumber(fresh.length);
    out.add(fresh);
    const isLast = end >= next.length;
    out.addNumber(isLast ? 0 : at - back - (lastAt + grown));
    lastScan = end - back;
    lastAt = at - back;
    lastOffset = at - end;
  }
  return out.taken;
}

/** How far the old place goes on being the better half right. */
function growForward(old: Uint8Array, next: Uint8Array, at: number, scan: number, end: number): number {
  let equal = 0;
  let best = 0;
  let bestBytes = 0;
  for (let i = 0; scan + i < end && at + i < old.length; ) {
    if (old[at + i] === next[scan + i]) equal++;
    i++;
    if (equal * 2 - i > best) {
      best = equal * 2 - i;
      bestBytes = i;
    }
  }
  return bestBytes;
}

function growBackward(old: Uint8Array, next: Uint8Array, at: number, scan: number, least: number): number {
  let equal = 0;
  let best = 0;
  let bestBytes = 0;
  for (let i = 1; scan - i >= least && at >= i; i++) {
    if (old[at - i] === next[scan - i]) equal++;
    if (equal * 2 - i > best) {
      best = equal * 2 - i;
      bestBytes = i;
    }
  }
  return bestBytes;
}

interface Pieces {
  lastAt: number;
  lastScan: number;
  forward: number;
  at: number;
  scan: number;
  backward: number;
}

/** Where both reach over the same bytes, the cut is where the most of them are right. */
function meet(old: Uint8Array, next: Uint8Array, it: Pieces): [number, number] {
  const overlap = it.lastScan + it.forward - (it.scan - it.backward);
  if (overlap <= 0) return [it.forward, it.backward];
  let balance = 0;
  let best = 0;
  let bestBytes = 0;
  for (let i = 0; i < overlap; i++) {
    const from = it.forward - overlap + i;
    if (next[it.lastScan + from] === old[it.lastAt + from]) balance++;
    if (next[it.scan - it.backward + i] === old[it.at - it.backward + i]) balance--;
    if (balance > best) {
      best = balance;
      bestBytes = i + 1;
    }
  }
  return [it.forward + bestBytes - overlap, it.backward - bestBytes];
}
