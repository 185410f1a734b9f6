import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** 256 random bits: a fast hash is enough to store it by. */
export function makeSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** Compares secrets of any length without telling by its time where they differ. */
export function sameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(Buffer.from(sha256(given)), Buffer.from(sha256(expected)));
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
