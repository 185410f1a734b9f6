import { createHash, createPublicKey, type KeyObject, sign } from 'node:crypto';

/** All that the authority asks of whatever holds a CA key: a KMS or an HSM can stand behind it. */
export interface Signer {
  /** SubjectPublicKeyInfo, DER, of a P-256 key. */
  readonly publicKey: Uint8Array<ArrayBuffer>;
  /** ECDSA with SHA-256 over these bytes; the answer is the DER Ecdsa-Sig-Value of RFC 3279 §2.2.3. */
  sign(bytes: Uint8Array): Promise<Uint8Array>;
}

export function localSigner(privateKey: KeyObject): Signer {
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  return {
    publicKey: new Uint8Array(publicKey),
    sign: async (bytes) => sign('sha256', bytes, privateKey),
  };
}

/** RFC 5280 §4.2.1.2 method (1) hashes the key bits with SHA-1; RFC 7093 §2 allows 160 bits of SHA-256 instead. */
export function keyIdentifier(publicKeyBits: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash('sha256').update(publicKeyBits).digest().subarray(0, 20));
}
