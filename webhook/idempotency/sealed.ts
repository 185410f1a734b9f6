/**
 * Answers hold secrets that are shown once, such as new tokens. So they are kept under a key that only the caller has: AES-256-GCM, with a key
 * made of the idempotency key by HKDF (RFC 5869). A caller with a guessable key loses no more than that.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

const nonceBytes = 12;
const tagBytes = 16;

const keyOf = (secret: string, caller: string) =>
  Buffer.from(hkdfSync('sha256', secret, caller, 'flota idempotency answer', 32));

export function seal(text: string, secret: string, caller: string): Buffer {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', keyOf(secret, caller), nonce);
  return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
}

/** Throws for anything that was not sealed so. */
export function unseal(sealed: Buffer, secret: string, caller: string): string {
  const nonce = sealed.subarray(0, nonceBytes);
  const tag = sealed.subarray(-tagBytes);
  const decipher = createDecipheriv('aes-256-gcm', keyOf(secret, caller), nonce);
  decipher.setAuthTag(tag);
  return decipher.update(sealed.subarray(nonceBytes, -tagBytes), undefined, 'utf8') + decipher.final('utf8');
}
