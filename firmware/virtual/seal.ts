/** What the agent asks of its port for sealed objects: ECDH with the key of its certificate, and AES-GCM. */
import {
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';

/** Of a PKCS#8 PEM; null when it is not of P-256. */
function readKey(pem: string): { key: KeyObject; jwk: JsonWebKey } | null {
  try {
    const key = createPrivateKey(pem);
    const jwk = key.export({ format: 'jwk' });
    return jwk.kty === 'EC' && jwk.crv === 'P-256' ? { key, jwk } : null;
  } catch {
    return null;
  }
}

/** x || y of its public key; null: it is of no use for this. */
export function sealKey(pem: string): Buffer | null {
  const read = readKey(pem);
  return read && Buffer.concat([read.jwk.x!, read.jwk.y!].map((part) => Buffer.from(part, 'base64url')));
}

/** The x of the shared point; null: there is no key, or `xy` is no point of the curve. */
export function sealAgree(pem: string, xy: Uint8Array): Buffer | null {
  const read = readKey(pem);
  if (!read) return null;
  const [x, y] = [xy.subarray(0, 32), xy.subarray(32)].map((part) => Buffer.from(part).toString('base64url'));
  try {
    const publicKey = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' } as never);
    return diffieHellman({ privateKey: read.key, publicKey });
  } catch {
    return null;
  }
}

/** Null: they do not belong to the tag. */
export function gcmOpen(
  key: Uint8Array,
  nonce: Uint8Array,
  extra: Uint8Array,
  data: Uint8Array,
  tag: Uint8Array,
): Buffer | null {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 });
  decipher.setAAD(extra).setAuthTag(tag);
  try {
    return Buffer.concat([decipher.update(data), decipher.final()]);
  } catch {
    return null;
  }
}
