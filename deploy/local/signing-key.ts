import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import {
  CompactSign,
  calculateJwkThumbprint,
  exportJWK,
  importPKCS8,
  type JSONWebKeySet,
  type JWK,
} from 'jose';
import type { FirmwareSigner } from '#webhook/firmware/signer.ts';
import { readOrMake } from './durable-file.ts';

/**
 * A firmware signing key in a file: for `npm start` alone, so that one command shows everything. Elsewhere the key is outside the
 * machines that serve (KMS, or offline).
 */
export async function openSigningKey(dir: string): Promise<{ signer: FirmwareSigner; keys: JSONWebKeySet }> {
  const pem = readOrMake(join(dir, 'firmware-signing-key.pem'), () =>
    generateKeyPairSync('ec', { namedCurve: 'P-256' })
      .privateKey.export({ type: 'pkcs8', format: 'pem' })
      .toString(),
  );
  const key = await importPKCS8(pem, 'ES256');
  const publicJwk: JWK = await exportJWK(createPublicKey(pem));
  const kid = await calculateJwkThumbprint(publicJwk);
  return {
    keys: { keys: [{ ...publicJwk, kid, alg: 'ES256', use: 'sig' }] },
    signer: {
      sign: (manifest) =>
        new CompactSign(new TextEncoder().encode(JSON.stringify(manifest)))
          .setProtectedHeader({ alg: 'ES256', kid })
          .sign(key),
    },
  };
}
