/** A firmware signing key: ECDSA P-256, PKCS#8 PEM. What devices trust is its public half, in a JSON Web Key Set (RFC 7517). */
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { CompactSign, calculateJwkThumbprint, exportJWK, type JSONWebKeySet } from 'jose';
import {
  type Manifest,
  manifestSchema,
  type PatchManifest,
  patchSchema,
  type Undo,
  undoSchema,
} from '#emqx/protocol.ts';

export interface SigningKey {
  /** RFC 7638 thumbprint of the public key. */
  kid: string;
  publicKeys: JSONWebKeySet;
  /** Compact JWS, alg ES256, with this `kid`. */
  sign(manifest: Manifest | Undo | PatchManifest): Promise<string>;
}

export function makeKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Throws when the PEM holds no P-256 private key. */
export async function openKey(pem: string): Promise<SigningKey> {
  const key = createPrivateKey(pem);
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw new Error('the key is not an ECDSA P-256 key');
  const jwk = await exportJWK(createPublicKey(key));
  const kid = await calculateJwkThumbprint(jwk);
  return {
    kid,
    publicKeys: { keys: [{ ...jwk, kid, alg: 'ES256', use: 'sig' }] },
    sign: (manifest) =>
      new CompactSign(new TextEncoder().encode(JSON.stringify(schemaOf(manifest).parse(manifest))))
        .setProtectedHeader({ alg: 'ES256', kid })
        .sign(key),
  };
}

function schemaOf(manifest: Manifest | Undo | PatchManifest) {
  if ('undo' in manifest) return undoSchema;
  return 'patch' in manifest ? patchSchema : manifestSchema;
}
