import { randomOf } from '#deploy/lab/primitives/random.ts';

/** Whole numbers below what is asked; the same for the same seed. */
export function random(seed: number): (below: number) => number {
  const next = randomOf(seed);
  return (below) => Math.floor(next() * below);
}

/** One small change: a bit, an octet, an end cut off, octets put in, taken out, moved, or one that means something to a DER parser. */
export function mutate(bytes: Uint8Array, pick: (below: number) => number): Buffer {
  const changed = Buffer.from(bytes);
  const at = pick(changed.length);
  switch (pick(7)) {
    case 0:
      changed[at] = (changed[at] ?? 0) ^ (1 << pick(8));
      return changed;
    case 1:
      changed[at] = ((changed[at] ?? 0) + 1 + pick(255)) % 256;
      return changed;
    case 2:
      return changed.subarray(0, at);
    case 3:
      return Buffer.concat([changed.subarray(0, at), Buffer.of(pick(256)), changed.subarray(at)]);
    case 4:
      return Buffer.concat([changed.subarray(0, at), changed.subarray(at + 1 + pick(8))]);
    case 5: {
      const end = Math.min(changed.length, at + 1 + pick(40));
      return Buffer.concat([changed.subarray(0, end), changed.subarray(at)]);
    }
    default:
      changed.copy(changed, at, pick(changed.length), pick(changed.length) + 1);
      changed[pick(changed.length)] = [0, 0x30, 0x31, 0x7f, 0x80, 0x84, 0xa0, 0xff][pick(8)] ?? 0;
      return changed;
  }
}

/** A nested blob that is mostly DER, for parsers that look at shape before meaning. */
export function randomDer(pick: (below: number) => number, depth = 0): Buffer {
  const tag = [0x02, 0x03, 0x04, 0x05, 0x06, 0x0c, 0x13, 0x17, 0x30, 0x31, 0xa0, 0xa3][pick(12)] ?? 0x30;
  const content =
    tag >= 0x30 && depth < 8
      ? Buffer.concat(Array.from({ length: pick(6) }, () => randomDer(pick, depth + 1)))
      : Buffer.from(Array.from({ length: pick(20) }, () => pick(256)));
  return element(tag, content);
}

/** One DER element, of any bytes at all. */
export function element(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const octets =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, (length >> 8) & 0xff, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...octets), content]);
}
