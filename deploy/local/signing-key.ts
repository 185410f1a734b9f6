import { join } from 'node:path';
import { makeKey, openKey, type SigningKey } from '#firmware/signing/key.ts';
import { readOrMake } from './durable-file.ts';

/**
 * A firmware signing key in a file: for `npm start` alone, so that one command shows everything. Elsewhere the key is outside the
 * machines that serve (KMS, or offline with `npm run firmware -- sign`).
 */
export function openSigningKey(dir: string): Promise<SigningKey> {
  return openKey(readOrMake(join(dir, 'firmware-signing-key.pem'), makeKey));
}
