import { join } from 'node:path';
import { makeKey, openKey, type SigningKey } from '#firmware/signing/key.ts';
import { damaged, readOrMake } from './durable-file.ts';

/**
 * A firmware signing key in a file: for `npm start` alone, so that one command shows everything. Elsewhere the key is outside the
 * machines that serve (KMS, or offline with `npm run firmware -- sign`).
 * @throws ConfigError when what is kept cannot be read
 */
export async function openSigningKey(dir: string): Promise<SigningKey> {
  const path = join(dir, 'firmware-signing-key.pem');
  const kept = readOrMake(path, makeKey);
  return openKey(kept).catch(() => {
    throw damaged(path);
  });
}
