import { createHash } from 'node:crypto';
import * as asn1 from 'asn1js';
import * as pkijs from 'pkijs';
import { oids } from './oids.ts';
import { encodePem } from './pem.ts';
import type { Signer } from './signer.ts';

export interface CertificateContent {
  /** Big-endian magnitude, at most 20 octets (RFC 5280 §4.1.2.2). */
  serial: Uint8Array;
  /** Names, DER. */
  issuer: Uint8Array<ArrayBuffer>;
  subject: Uint8Array<ArrayBuffer>;
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

/** What is signed of a certificate (RFC 5280 §4.1.2), DER. */
export function encodeTbs(content: CertificateContent): Uint8Array<ArrayBuffer> {
  const { serial, issuer, notBefore, notAfter, subject, publicKey, extensions } = content;
  return sequence([
    encode(tagged(0, new asn1.Integer({ value: 2 }))),
    encode(positiveInteger(serial)),
    signatureAlgorithm,
    issuer,
    encode(new asn1.Sequence({ value: [time(notBefore).toSchema(), time(notAfter).toSchema()] })),
    subject,
    publicKey,
    encode(tagged(3, new asn1.Sequence({ value: extensions.map((each) => each.toSchema()) }))),
  ]);
}

/** A SEQUENCE of what is DER already; asn1js' RawData would be lost in one of its own. */
function sequence(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const block = new asn1.Primitive({
    idBlock: { tagClass: 1, tagNumber: 16 },
    valueHex: Buffer.concat(parts),
  });
  block.idBlock.isConstructed = true;
  return encode(block);
}

function tagged(tagNumber: number, value: asn1.BaseBlock): asn1.Constructed {
  return new asn1.Constructed({ idBlock: { tagClass: 3, tagNumber }, value: [value] });
}

function encode(block: asn1.BaseBlock): Uint8Array<ArrayBuffer> {
  return new Uint8Array(block.toBER(false));
}

export async function signCertificate(
  tbs: Uint8Array<ArrayBuffer>,
  signer: Signer,
): Promise<SignedCertificate> {
  const der = await signTbs(tbs, signer);
  return { pem: encodePem('CERTIFICATE', der), fingerprint: createHash('sha256').update(der).digest('hex') };
}

/** Signs the body (DER) of a certificate, a CRL (RFC 5280 §4.1.1, §5.1.1) or a request (RFC 2986 §4.2). */
export async function signTbs(
  tbs: Uint8Array<ArrayBuffer>,
  signer: Signer,
): Promise<Uint8Array<ArrayBuffer>> {
  return joinSignature(tbs, await signer.sign(tbs));
}

export function joinSignature(tbs: Uint8Array<ArrayBuffer>, signature: Uint8Array): Uint8Array<ArrayBuffer> {
  const valueHex = new Uint8Array(signature);
  return sequence([tbs, signatureAlgorithm, encode(new asn1.BitString({ valueHex, unusedBits: 0 }))]);
}

/** RFC 5758 §3.2: the parameters field is absent. */
export function ecdsaWithSha256(): pkijs.AlgorithmIdentifier {
  return new pkijs.AlgorithmIdentifier({ algorithmId: oids.ecdsaWithSha256 });
}

const signatureAlgorithm = encode(ecdsaWithSha256().toSchema());

export interface NameParts {
  commonName: string;
  serialNumber?: string;
}

/**
 * CN first: RFC 4514 §2.1 prints a name from its last part on, so EMQX shows `SERIALNUMBER=…,CN=…`. Both parts are plain ASCII by
 * the profiles' name rules; RFC 5280 §4.1.2.4 wants UTF8String for CN, appendix A PrintableString for serialNumber.
 */
export function distinguishedName({ commonName, serialNumber }: NameParts): Uint8Array<ArrayBuffer> {
  const parts = [relativeName(oids.commonName, new asn1.Utf8String({ value: commonName }))];
  if (serialNumber !== undefined) {
    parts.push(relativeName(oids.serialNumber, new asn1.PrintableString({ value: serialNumber })));
  }
  // By asn1js alone: pkijs would put all parts into one multi-valued RDN, which prints with "+".
  return encode(new asn1.Sequence({ value: parts }));
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
