/** Devices' downloads through CloudFront: the same object, at an address that the CDN checks by its signature. */
import { createPrivateKey } from 'node:crypto';
import { getSignedUrl } from '@aws-sdk/cloudfront-signer';
import { AppError } from '../errors.ts';

export interface CdnSettings {
  /** https address of the distribution; a path in it is put before every key. */
  url: string;
  /** Id of the public key in the distribution's key group. */
  keyPairId: string;
  /** PEM. */
  privateKey: string;
}

/** What devices keep room for. */
export const maxDeviceUrlBytes = 2048;

/**
 * Canned policy with SHA-256: exactly this object, until then, from any address.
 * Throws `storage_unavailable` for an address that devices have no room for.
 */
export function signCdnUrl(cdn: CdnSettings, key: string, expiresAt: Date): { url: string; expiresAt: Date } {
  // The policy counts whole seconds, and the signer would round up.
  const ends = new Date(Math.floor(expiresAt.getTime() / 1000) * 1000);
  const path = key.split('/').map(encodeSegment).join('/');
  const url = getSignedUrl({
    url: `${cdn.url.replace(/\/$/, '')}/${path}`,
    keyPairId: cdn.keyPairId,
    privateKey: cdn.privateKey,
    dateLessThan: ends,
    algorithm: 'SHA256',
  });
  if (url.length > maxDeviceUrlBytes) {
    throw new AppError(
      'storage_unavailable',
      `A device's URL would be longer than ${maxDeviceUrlBytes} bytes.`,
    );
  }
  return { url, expiresAt: ends };
}

/** The signature covers the address as it is written: none of these may be written otherwise on its way. */
function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Why CloudFront could not take this key; null when it can. */
export function checkCdnKey(pem: string): string | null {
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = createPrivateKey(pem);
    const fits =
      (asymmetricKeyType === 'rsa' && asymmetricKeyDetails?.modulusLength === 2048) ||
      (asymmetricKeyType === 'ec' && asymmetricKeyDetails?.namedCurve === 'prime256v1');
    return fits ? null : 'must be an RSA key of 2,048 bits or an EC key on P-256';
  } catch {
    return 'must be a private key (PEM, not encrypted)';
  }
}
