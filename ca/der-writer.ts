/** Writes DER by hand where pkijs would be most of the cost: leaf certificates, and requests in bulk. */
export const tags = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** One element; X.690 §10.1: the shortest form of the length. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const part of parts) length += part.length;
  const octets = length < 0x80 ? 0 : length < 0x100 ? 1 : length < 0x10000 ? 2 : 3;
  const bytes = Buffer.allocUnsafe(2 + octets + length);
  bytes[0] = tag;
  bytes[1] = octets === 0 ? length : 0x80 | octets;
  for (let index = 0; index < octets; index += 1) bytes[2 + index] = length >>> (8 * (octets - 1 - index));
  let offset = 2 + octets;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return element(tags.sequence, ...parts);
}

export function text(tag: number, value: string): Buffer {
  return element(tag, Buffer.from(value, 'latin1'));
}

/** X.690 §8.3: a leading zero octet keeps the number positive. `magnitude` has no leading zero octets. */
export function positive(magnitude: Uint8Array): Buffer {
  return (magnitude[0] ?? 0) >= 0x80
    ? element(tags.integer, Uint8Array.of(0), magnitude)
    : element(tags.integer, magnitude);
}

export function bitString(bytes: Uint8Array): Buffer {
  return element(tags.bitString, Uint8Array.of(0), bytes);
}

/** RFC 5280 §4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050 on; whole seconds. */
function timestamp(value: Date): Buffer {
  const digits = value.toISOString().replace(/[-:T]|\.\d+/g, '');
  return value.getUTCFullYear() < 2050
    ? text(tags.utcTime, digits.slice(2))
    : text(tags.generalizedTime, digits);
}

/** Dotted object identifier (X.690 §8.19). */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes: number[] = [];
  for (const arc of [first * 40 + second, ...rest]) {
    const groups = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      groups.unshift((left % 128) | 0x80);
    bytes.push(...groups);
  }
  return element(tags.oid, Uint8Array.from(bytes));
}

let lastValidity: { from: number; to: number; encoded: Buffer } | undefined;

/** The validity of a certificate; those of one profile and second have the same. */
export function validity(notBefore: Date, notAfter: Date): Buffer {
  const [from, to] = [notBefore.getTime(), notAfter.getTime()];
  if (lastValidity?.from !== from || lastValidity.to !== to) {
    lastValidity = { from, to, encoded: sequence(timestamp(notBefore), timestamp(notAfter)) };
  }
  return lastValidity.encoded;
}
