/**
 * SHA-256 (FIPS 180-4), fed piece by piece. WebCrypto would want the whole file in memory and exists only in secure
 * contexts, which a console opened by its LAN address is not. The server computes the digest again by itself.
 */

const primes = (() => {
  const found: number[] = [];
  for (let n = 2; found.length < 64; n += 1) if (found.every((p) => n % p)) found.push(n);
  return found;
})();
const fraction = (x: number) => Math.floor((x - Math.floor(x)) * 2 ** 32);
// §4.2.2 and §5.3.3: fractional parts of the cube and square roots of the first primes.
const k = Int32Array.from(primes, (p) => fraction(Math.cbrt(p)));
const initial = Int32Array.from(primes.slice(0, 8), (p) => fraction(Math.sqrt(p)));

function compress(h: Int32Array, w: Int32Array, bytes: Uint8Array, from: number): void {
  for (let i = 0, at = from; i < 16; i += 1, at += 4) {
    w[i] = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  }
  for (let i = 16; i < 64; i += 1) {
    const x = w[i - 15]!;
    const y = w[i - 2]!;
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[i] = (w[i - 16]! + s0 + w[i - 7]! + s1) | 0;
  }
  let a = h[0]!;
  let b = h[1]!;
  let c = h[2]!;
  let d = h[3]!;
  let e = h[4]!;
  let f = h[5]!;
  let g = h[6]!;
  let hh = h[7]!;
  for (let i = 0; i < 64; i += 1) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (hh + s1 + ((e & f) ^ (~e & g)) + k[i]! + w[i]!) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    hh = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  h[0] = (h[0]! + a) | 0;
  h[1] = (h[1]! + b) | 0;
  h[2] = (h[2]! + c) | 0;
  h[3] = (h[3]! + d) | 0;
  h[4] = (h[4]! + e) | 0;
  h[5] = (h[5]! + f) | 0;
  h[6] = (h[6]! + g) | 0;
  h[7] = (h[7]! + hh) | 0;
}

export function createSha256(): { update(bytes: Uint8Array): void; digestHex(): string } {
  const h = initial.slice();
  const w = new Int32Array(64);
  const block = new Uint8Array(64);
  let filled = 0;
  let total = 0;

  const update = (bytes: Uint8Array) => {
    total += bytes.length;
    let at = 0;
    if (filled) {
      at = Math.min(64 - filled, bytes.length);
      block.set(bytes.subarray(0, at), filled);
      filled += at;
      if (filled < 64) return;
      compress(h, w, block, 0);
      filled = 0;
    }
    for (; at + 64 <= bytes.length; at += 64) compress(h, w, bytes, at);
    block.set(bytes.subarray(at));
    filled = bytes.length - at;
  };

  const digestHex = () => {
    const padding = new Uint8Array((filled < 56 ? 64 : 128) - filled);
    padding[0] = 0x80;
    const view = new DataView(padding.buffer);
    view.setUint32(padding.length - 8, Math.floor(total / 2 ** 29));
    view.setUint32(padding.length - 4, (total * 8) >>> 0);
    update(padding);
    return Array.from(h, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  };

  return { update, digestHex };
}

const pieceBytes = 2 * 1024 * 1024;

/** SHA-256 of a file, lower hex, read piece by piece. `onProgress` gets 0 to 1. */
export async function digestPieces(file: Blob, onProgress?: (share: number) => void): Promise<string> {
  const sha = createSha256();
  for (let at = 0; at < file.size; at += pieceBytes) {
    sha.update(new Uint8Array(await file.slice(at, at + pieceBytes).arrayBuffer()));
    onProgress?.(Math.min(1, (at + pieceBytes) / file.size));
  }
  return sha.digestHex();
}
