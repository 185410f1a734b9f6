import { createHash } from 'node:crypto';
import type * as pkijs from 'pkijs';
import type { SignedCertificate } from './certificate.ts';
import {
  bitString,
  element,
  objectIdentifier,
  positive,
  sequence,
  tags,
  text,
  validity,
} from './der-writer.ts';
import * as extensions from './extensions.ts';
import { oids } from './oids.ts';
import { encodePem } from './pem.ts';
import type { Profile } from './profiles.ts';
import { keyIdentifier, type Signer } from './signer.ts';
import type { SubjectName } from './subject-names.ts';

export interface LeafContent {
  /** Big-endian, 1 to 20 octets without leading zeros (RFC 5280 §4.1.2.2). */
  serial: Uint8Array;
  commonName: string;
  /** Goes into the subject too when the profile says so. */
  serialText: string;
  /** SubjectPublicKeyInfo, DER. */
  publicKey: Uint8Array<ArrayBuffer>;
  publicKeyBits: Uint8Array;
  notBefore: Date;
  notAfter: Date;
  names: readonly SubjectName[];
}

export interface LeafTemplate {
  issuer: { subject: pkijs.RelativeDistinguishedNames; keyId: Uint8Array<ArrayBuffer>; signer: Signer };
  profile: Profile;
  crlUrl?: string;
}

const version3 = element(0xa0, positive(Uint8Array.of(2)));
/** RFC 5758 §3.2: no parameters. */
const algorithm = sequence(objectIdentifier(oids.ecdsaWithSha256));
const commonNameType = objectIdentifier(oids.commonName);
const serialNumberType = objectIdentifier(oids.serialNumber);
const skiType = objectIdentifier(oids.subjectKeyIdentifier);

/**
 * All that leaves of one profile by one issuer have in common is encoded once, by the same functions as everything else; a leaf adds
 * serial, subject, validity, key, SKI and SAN. (The generic encoder takes several times as long as the signature.)
 */
export function prepareLeaf(template: LeafTemplate): (content: LeafContent) => Promise<SignedCertificate> {
  const { issuer, profile, crlUrl } = template;
  const issuerName = encode(issuer.subject);
  const before = Buffer.concat([
    encode(extensions.basicConstraints(undefined)),
    // TLS 1.3 and our TLS 1.2 suites only sign with the leaf's key.
    encode(extensions.keyUsage(['digitalSignature'])),
    encode(extensions.extKeyUsage(profile.extKeyUsage)),
  ]);
  const authorityKey = encode(extensions.authorityKeyIdentifier(issuer.keyId));
  const crl = crlUrl === undefined ? Buffer.alloc(0) : encode(extensions.crlDistributionPoint(crlUrl));

  return async (content) => {
    const ski = element(tags.octetString, keyIdentifier(content.publicKeyBits));
    const san = content.names.length > 0 ? encode(extensions.subjectAltName(content.names)) : Buffer.alloc(0);
    const tbs = sequence(
      version3,
      positive(content.serial),
      algorithm,
      issuerName,
      validity(content.notBefore, content.notAfter),
      subjectOf(content, profile),
      content.publicKey,
      element(
        0xa3,
        sequence(before, sequence(skiType, element(tags.octetString, ski)), authorityKey, san, crl),
      ),
    );
    const der = sequence(tbs, algorithm, bitString(await issuer.signer.sign(tbs)));
    return {
      pem: encodePem('CERTIFICATE', der),
      fingerprint: createHash('sha256').update(der).digest('hex'),
    };
  };
}

/** As `distinguishedName()` in certificate.ts: CN first, one part a set. */
function subjectOf({ commonName, serialText }: LeafContent, profile: Profile): Buffer {
  const name = element(tags.set, sequence(commonNameType, text(tags.utf8String, commonName)));
  if (!profile.serialInSubject) return sequence(name);
  const serial = sequence(serialNumberType, text(tags.printableString, serialText));
  return sequence(name, element(tags.set, serial));
}

function encode(part: { toSchema(): { toBER(sizeOnly?: boolean): ArrayBuffer } }): Buffer {
  return Buffer.from(part.toSchema().toBER(false));
}
