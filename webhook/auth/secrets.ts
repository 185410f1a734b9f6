import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** 256 random bits: a fast hash is enough to store it by. */
export function makeSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** Compares secrets of any length without telling by its time where they differ. */
export function sameSecret(given: string, expected: string): boolean {
  return secretCheck(expected)(given);
}

/** For whoever compares often with the same one. */
export function secretCheck(expected: string): (given: string) => boolean {
  const digest = createHash('sha256').update(expected).digest();
  return (given) => timingSafeEqual(createHash('sha256').update(given).digest(), digest);
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
