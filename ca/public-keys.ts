import { createPublicKey, type KeyObject } from 'node:crypto';
import { CaError } from './client.ts';
import type { KeyPolicy } from './profiles.ts';

/**
 * The key of a SubjectPublicKeyInfo (DER), when the policy accepts it.
 * @throws CaError csr_key_refused
 */
export function readPublicKey(der: Uint8Array, policy: KeyPolicy): KeyObject {
  const key = importDer(der);
  const { namedCurve, modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa' && policy.rsaBits) {
    const { min, max } = policy.rsaBits;
    if (modulusLength < min || modulusLength > max) throw refused(`RSA keys must have ${min} to ${max} bits`);
    // FIPS 186-5 §A.1.1 allows up to 2^256; a large exponent only makes each verification slow.
    if (publicExponent < 65_537n || publicExponent > 0xffff_ffffn || publicExponent % 2n === 0n)
      throw refused('the RSA exponent must be odd, from 65537 to 2^32');
  } else if (!policy.curves.some((curve) => openSslNames[curve] === namedCurve)) {
    throw refused(`a key must be on ${policy.curves.join(' or ')}, or RSA`);
  }
  // RFC 5480 §2, RFC 3279 §2.3.1: a named curve and an uncompressed point, NULL for RSA. A JWK knows no other way to say a key.
  const canonical = createPublicKey({ key: key.export({ format: 'jwk' }), format: 'jwk' });
  if (!canonical.export({ type: 'spki', format: 'der' }).equals(der))
    throw refused('the key is not in its canonical encoding');
  return key;
}

const openSslNames = { 'P-256': 'prime256v1', 'P-384': 'secp384r1' } as const;

function importDer(der: Uint8Array): KeyObject {
  try {
    return createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' });
  } catch (cause) {
    throw refused('the public key cannot be read', cause);
  }
}

function refused(message: string, cause?: unknown): CaError {
  return new CaError('csr_key_refused', message, { cause });
}
