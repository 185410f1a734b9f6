import { publicKeyBits } from './authorities.ts';
import { type CertificateContent, distinguishedName } from './certificate.ts';
import type { CertificateRequest } from './csr.ts';
import * as extensions from './extensions.ts';
import type { Issuer } from './hierarchy.ts';
import type { Profile } from './profiles.ts';
import { keyIdentifier } from './signer.ts';

/** All that decides what a leaf says. */
export interface Wanted {
  profile: Profile;
  issuer: Pick<Issuer, 'subject' | 'keyId' | 'notBefore' | 'notAfter'>;
  /** Big-endian, without leading zeros. */
  serial: Buffer;
  csr: Pick<CertificateRequest, 'commonName' | 'publicKey' | 'names'>;
  notBefore: Date;
  notAfter: Date;
  /** Where relying parties fetch the issuer's CRL; left out when there is none. */
  crlUrl?: string;
}

/** Upper-case hex, as in our records and in the subjects of devices. */
export function serialText(serial: Buffer): string {
  return serial.toString('hex').toUpperCase();
}

export function leafContent({
  profile,
  issuer,
  serial,
  csr,
  notBefore,
  notAfter,
  crlUrl,
}: Wanted): CertificateContent {
  const { commonName, publicKey, names } = csr;
  return {
    serial,
    issuer: issuer.subject,
    subject: distinguishedName({
      commonName,
      ...(profile.serialInSubject && { serialNumber: serialText(serial) }),
    }),
    publicKey,
    notBefore,
    notAfter,
    extensions: [
      extensions.basicConstraints(undefined),
      // TLS 1.3 and our TLS 1.2 suites only sign with the leaf's key.
      extensions.keyUsage(['digitalSignature']),
      extensions.extKeyUsage(profile.extKeyUsage),
      extensions.subjectKeyIdentifier(keyIdentifier(publicKeyBits(publicKey))),
      extensions.authorityKeyIdentifier(issuer.keyId),
      ...(names.length > 0 ? [extensions.subjectAltName(names)] : []),
      ...(crlUrl === undefined ? [] : [extensions.crlDistributionPoint(crlUrl)]),
    ],
  };
}
