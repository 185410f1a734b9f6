/** The certificates of the two kinds of authority: what a root and an issuing CA say of themselves. */
import { createHash, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import * as asn1 from 'asn1js';
import * as pkijs from 'pkijs';
import { distinguishedName, encodeTbs, signCertificate } from './certificate.ts';
import { CaError } from './client.ts';
import { authorityKeyIdentifier, basicConstraints, keyUsage, subjectKeyIdentifier } from './extensions.ts';
import { openPrivateKey, sealPrivateKey } from './private-keys.ts';
import { keyIdentifier, localSigner, type Signer } from './signer.ts';

const day = 86_400_000;
const rootLifetimeMs = 20 * 365 * day;
const issuingLifetimeMs = 10 * 365 * day;
const backdateMs = 300_000;

/** An authority that can sign: a KMS or an HSM may be behind its signer. */
export interface SigningAuthority {
  /** PEM. */
  certificate: string;
  signer: Signer;
  subject: pkijs.RelativeDistinguishedNames;
  keyId: Uint8Array<ArrayBuffer>;
  notBefore: Date;
  notAfter: Date;
}

/** `key` is PKCS#8 PEM, encrypted when there is a passphrase. */
export interface SealedPair {
  key: string;
  certificate: string;
}

export async function makeRoot(
  name: string,
  passphrase: string | undefined,
  now: number,
): Promise<SealedPair & { authority: SigningAuthority }> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signer = localSigner(privateKey);
  const subject = distinguishedName({ commonName: `${name} Root CA` });
  // RFC 5280 §4.2.1.9: one issuing CA below the root, and none below that.
  const { pem } = await signCertificate(
    encodeTbs({
      serial: randomSerial(),
      issuer: subject,
      subject,
      publicKey: signer.publicKey,
      notBefore: new Date(now - backdateMs),
      notAfter: new Date(now + rootLifetimeMs),
      extensions: [
        basicConstraints({ pathLength: 1 }),
        keyUsage(['keyCertSign', 'cRLSign']),
        subjectKeyIdentifier(keyIdentifier(publicKeyBits(signer.publicKey))),
      ],
    }),
    signer,
  );
  const key = await sealPrivateKey(privateKey, passphrase);
  return { key, certificate: pem, authority: toAuthority(pem, signer) };
}

export interface IssuingSubject {
  serial: Uint8Array;
  commonName: string;
  /** SubjectPublicKeyInfo, DER, of a P-256 key. */
  publicKey: Uint8Array<ArrayBuffer>;
}

/** PEM. It ends with the root at the latest. */
export async function signIssuing(
  root: SigningAuthority,
  wanted: IssuingSubject,
  now: number,
): Promise<string> {
  const { pem } = await signCertificate(
    encodeTbs({
      serial: wanted.serial,
      issuer: root.subject,
      subject: distinguishedName({ commonName: wanted.commonName }),
      publicKey: wanted.publicKey,
      notBefore: new Date(now - backdateMs),
      notAfter: new Date(Math.min(now + issuingLifetimeMs, root.notAfter.getTime())),
      extensions: [
        basicConstraints({ pathLength: 0 }),
        keyUsage(['digitalSignature', 'keyCertSign', 'cRLSign']),
        subjectKeyIdentifier(keyIdentifier(publicKeyBits(wanted.publicKey))),
        authorityKeyIdentifier(root.keyId),
      ],
    }),
    root.signer,
  );
  return pem;
}

/** @throws CaError hierarchy_damaged | passphrase_wrong */
export function openSigning(
  certificate: string,
  key: string,
  passphrase: string | undefined,
): SigningAuthority {
  return toAuthority(certificate, localSigner(openPrivateKey(key, passphrase)));
}

/** @throws CaError hierarchy_damaged when the signer's key is not the certificate's */
export function toAuthority(certificate: string, signer: Signer): SigningAuthority {
  const read = readCertificate(certificate);
  const spki = read.publicKey.export({ type: 'spki', format: 'der' });
  if (!spki.equals(signer.publicKey))
    throw new CaError('hierarchy_damaged', 'a CA key is not the key of its certificate');
  const parsed = new pkijs.Certificate({ schema: asn1.fromBER(new Uint8Array(read.raw)).result });
  return {
    certificate,
    signer,
    subject: parsed.subject,
    keyId: keyIdentifier(publicKeyBits(signer.publicKey)),
    notBefore: parsed.notBefore.value,
    notAfter: parsed.notAfter.value,
  };
}

/** @throws CaError hierarchy_damaged */
export function readCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new CaError('hierarchy_damaged', "a CA's certificate cannot be read", { cause });
  }
}

/** 128 random bits (RFC 5280 §4.1.2.2 wants a positive number); never a leading zero octet, so the hex has always 32 digits. */
export function randomSerial(): Buffer {
  for (;;) {
    const serial = randomBytes(16);
    if (serial[0] !== 0) return serial;
  }
}

/** The BIT STRING of a SubjectPublicKeyInfo, which key identifiers are made from. */
export function publicKeyBits(spki: Uint8Array<ArrayBuffer>): Uint8Array {
  const info = new pkijs.PublicKeyInfo({ schema: asn1.fromBER(spki).result });
  return info.subjectPublicKey.valueBlock.valueHexView;
}

/** SHA-256 of a certificate's DER, lower-case hex. */
export function fingerprintOf(pem: string): string {
  return createHash('sha256').update(new X509Certificate(pem).raw).digest('hex');
}
