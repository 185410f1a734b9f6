/** Time-based one-time passwords (RFC 6238 over RFC 4226): six digits, HMAC-SHA-1, 30 seconds, as every authenticator has them. Pure. */
import { createHmac, randomBytes } from 'node:crypto';

const stepMs = 30_000;
const digits = 6;
/** RFC 4226, 4, R6: 160 bits are recommended. */
const secretBytes = 20;
/** RFC 6238, 5.2: one step either way, for clocks that differ and codes that are typed slowly. */
const tolerance = 1;

/** RFC 4648, 6. */
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

export function makeTotpSecret(): string {
  return toBase32(randomBytes(secretBytes));
}

export const stepAt = (nowMs: number) => Math.floor(nowMs / stepMs);

/** RFC 4226, 5.3; `length` for the vectors of RFC 6238, which have eight digits. */
export function codeOf(secret: string, step: number, length = digits): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', fromBase32(secret)).update(counter).digest();
  const offset = mac.at(-1)! & 0xf;
  const number = (mac.readUInt32BE(offset) & 0x7fffffff) % 10 ** length;
  return String(number).padStart(length, '0');
}

/** The step that this is the code of, of those about now; null: of none. */
export function findStep(secret: string, code: string, nowMs: number): number | null {
  const now = stepAt(nowMs);
  for (let step = now - tolerance; step <= now + tolerance; step++)
    if (codeOf(secret, step) === code) return step;
  return null;
}

/** What an authenticator reads from a QR code. */
export function uriOf(secret: string, email: string): string {
  const query = new URLSearchParams({ secret, issuer: 'Flota' });
  return `otpauth://totp/Flota:${encodeURIComponent(email)}?${query}`;
}

export function toBase32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{1,5}/g) ?? [])
    .map((five) => alphabet[Number.parseInt(five.padEnd(5, '0'), 2)])
    .join('');
}

export function fromBase32(text: string): Buffer {
  const bits = [...text].map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0')).join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}
