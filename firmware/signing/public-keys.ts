/** Public firmware signing keys, read from whatever form somebody has them in. */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, type JWK } from 'jose';
import { z } from 'zod';

/** As many as devices keep: the present one and the next. */
export const maxKeys = 2;

const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).min(1) });
const blocks = /-----BEGIN ([A-Z ]+)-----[\s\S]*?-----END \1-----/g;

/**
 * The public keys of a PEM (private keys, public keys, certificates) or of a JSON Web Key Set; private halves are left behind. One
 * without a `kid` gets its RFC 7638 thumbprint. Throws on anything else, and on a key that is not P-256.
 */
export async function readPublicKeys(text: string): Promise<JWK[]> {
  const objects = text.trimStart().startsWith('{') ? readJwks(text) : readPem(text);
  return Promise.all(
    objects.map(async ({ key, kid }) => {
      if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
        throw new Error('a key is not an ECDSA P-256 key');
      const jwk = await exportJWK(key);
      return { ...jwk, kid: kid ?? (await calculateJwkThumbprint(jwk)), alg: 'ES256', use: 'sig' };
    }),
  );
}

export function toPem(jwk: JWK): string {
  return createPublicKey({ key: jwk as never, format: 'jwk' })
    .export({ type: 'spki', format: 'pem' })
    .toString();
}

type Named = { key: KeyObject; kid?: string };

function readJwks(text: string): Named[] {
  const { keys } = keySet.parse(JSON.parse(text));
  return keys.map(({ d: _, kid, ...jwk }) => ({
    key: createPublicKey({ key: jwk as never, format: 'jwk' }),
    ...(typeof kid === 'string' && { kid }),
  }));
}

function readPem(text: string): Named[] {
  // What openssl writes before an EC private key.
  const found = [...text.matchAll(blocks)].filter(([, label]) => label !== 'EC PARAMETERS');
  if (found.length === 0) throw new Error('holds neither PEM nor a JSON Web Key Set');
  return found.map(([pem, label]) => ({
    key: createPublicKey(label!.endsWith('PRIVATE KEY') ? createPrivateKey(pem) : pem),
  }));
}
