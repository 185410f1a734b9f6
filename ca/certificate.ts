import { createHash } from 'node:crypto';
import * as asn1 from 'asn1js';
import * as pkijs from 'pkijs';
import { oids } from './oids.ts';
import { encodePem } from './pem.ts';
import type { Signer } from './signer.ts';

export interface CertificateContent {
  /** Big-endian magnitude, at most 20 octets (RFC 5280 §4.1.2.2). */
  serial: Uint8Array;
  issuer: pkijs.RelativeDistinguishedNames;
  subject: pkijs.RelativeDistinguishedNames;
  /** SubjectPublicKeyInfo, DER. */
  publicKey: Uint8Array<ArrayBuffer>;
  notBefore: Date;
  notAfter: Date;
  extensions: pkijs.Extension[];
}

export interface SignedCertificate {
  pem: string;
  /** SHA-256 of the DER, lower-case hex. */
  fingerprint: string;
}

/** What is signed of a certificate (RFC 5280 §4.1.2). */
export function encodeTbs(content: CertificateContent): asn1.Sequence {
  const certificate = new pkijs.Certificate();
  certificate.version = 2;
  certificate.serialNumber = positiveInteger(content.serial);
  certificate.signature = ecdsaWithSha256();
  certificate.issuer = content.issuer;
  certificate.subject = content.subject;
  certificate.notBefore = time(content.notBefore);
  certificate.notAfter = time(content.notAfter);
  certificate.subjectPublicKeyInfo = new pkijs.PublicKeyInfo({
    schema: asn1.fromBER(content.publicKey).result,
  });
  certificate.extensions = content.extensions;
  return certificate.encodeTBS();
}

export async function signCertificate(tbs: asn1.Sequence, signer: Signer): Promise<SignedCertificate> {
  const der = await signTbs(tbs, signer);
  return { pem: encodePem('CERTIFICATE', der), fingerprint: createHash('sha256').update(der).digest('hex') };
}

/** Signs the body of a certificate, a CRL (RFC 5280 §4.1.1, §5.1.1) or a request (RFC 2986 §4.2). */
export async function signTbs(tbs: asn1.Sequence, signer: Signer): Promise<Uint8Array<ArrayBuffer>> {
  return joinSignature(tbs, await signer.sign(new Uint8Array(tbs.toBER(false))));
}

export function joinSignature(tbs: asn1.Sequence, signature: Uint8Array): Uint8Array<ArrayBuffer> {
  const signed = new asn1.Sequence({
    value: [
      tbs,
      ecdsaWithSha256().toSchema(),
      new asn1.BitString({ valueHex: new Uint8Array(signature), unusedBits: 0 }),
    ],
  });
  return new Uint8Array(signed.toBER(false));
}

/** RFC 5758 §3.2: the parameters field is absent. */
export function ecdsaWithSha256(): pkijs.AlgorithmIdentifier {
  return new pkijs.AlgorithmIdentifier({ algorithmId: oids.ecdsaWithSha256 });
}

export interface NameParts {
  commonName: string;
  serialNumber?: string;
}

/**
 * CN first: RFC 4514 §2.1 prints a name from its last part on, so EMQX shows `SERIALNUMBER=…,CN=…`. Both parts are plain ASCII by
 * the profiles' name rules; RFC 5280 §4.1.2.4 wants UTF8String for CN, appendix A PrintableString for serialNumber.
 */
export function distinguishedName({ commonName, serialNumber }: NameParts): pkijs.RelativeDistinguishedNames {
  const parts = [relativeName(oids.commonName, new asn1.Utf8String({ value: commonName }))];
  if (serialNumber !== undefined) {
    parts.push(relativeName(oids.serialNumber, new asn1.PrintableString({ value: serialNumber })));
  }
  // Through the encoded form: pkijs would put all parts into one multi-valued RDN, which prints with "+".
  const encoded = new asn1.Sequence({ value: parts }).toBER(false);
  return new pkijs.RelativeDistinguishedNames({ schema: asn1.fromBER(encoded).result });
}

function relativeName(type: string, value: asn1.BaseBlock): asn1.Set {
  const part = new asn1.Sequence({ value: [new asn1.ObjectIdentifier({ value: type }), value] });
  return new asn1.Set({ value: [part] });
}

/** X.690 §8.3: a leading zero octet keeps the number positive. */
export function positiveInteger(magnitude: Uint8Array): asn1.Integer {
  const positive = (magnitude[0] ?? 0) >= 0x80 ? Uint8Array.of(0, ...magnitude) : Uint8Array.from(magnitude);
  return new asn1.Integer({ valueHex: positive });
}

/** RFC 5280 §4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050 on. */
export function time(value: Date): pkijs.Time {
  return new pkijs.Time({ type: value.getUTCFullYear() < 2050 ? 0 : 1, value });
}
