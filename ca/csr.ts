import { type KeyObject, verify } from 'node:crypto';
import * as asn1 from 'asn1js';
import * as pkijs from 'pkijs';
import { CaError } from './client.ts';
import { parseDer } from './der.ts';
import { oids, signatureAlgorithms } from './oids.ts';
import { decodePem } from './pem.ts';
import type { KeyPolicy } from './profiles.ts';
import { readPublicKey } from './public-keys.ts';
import { type RequestedExtensions, readExtensions } from './requested-extensions.ts';

/** An RSA-4096 request with a dozen names is about 2 KiB. */
export const maxCsrBytes = 8 * 1024;
const maxPemChars = 12 * 1024;

export interface CertificateRequest extends RequestedExtensions {
  commonName: string;
  /** SubjectPublicKeyInfo, DER, in the only encoding it can have. */
  publicKey: Uint8Array<ArrayBuffer>;
  /** The whole request, DER. */
  der: Uint8Array;
}

/**
 * Parses a PKCS#10 request (RFC 2986) and verifies its proof of possession. What the profile and the caller have to say about
 * its names comes afterwards.
 * @throws CaError csr_malformed | csr_too_large | csr_key_refused | csr_signature_invalid | csr_name_mismatch |
 *   csr_extension_refused
 */
export async function readRequest(pem: string, keys: KeyPolicy): Promise<CertificateRequest> {
  if (pem.length > maxPemChars)
    throw new CaError('csr_too_large', `a CSR has at most ${maxPemChars} characters`);
  const der = decodePem(pem, ['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST']);
  if (der.length > maxCsrBytes) throw new CaError('csr_too_large', `a CSR has at most ${maxCsrBytes} bytes`);
  const { request, publicKey } = takeApart(parseDer(der));
  const key = readPublicKey(publicKey, keys);
  verifyPossession(request, key);
  return {
    commonName: readCommonName(request.subject),
    publicKey,
    der,
    ...readExtensions(request.attributes ?? []),
  };
}

/** RFC 2986 §4.1 and §4.2. */
function takeApart(der: asn1.AsnType): {
  request: pkijs.CertificationRequest;
  publicKey: Uint8Array<ArrayBuffer>;
} {
  let request: pkijs.CertificationRequest;
  try {
    request = new pkijs.CertificationRequest({ schema: der });
  } catch (cause) {
    throw new CaError('csr_malformed', 'not a PKCS#10 request', { cause });
  }
  const whole = partsOf(der);
  const [, subject, publicKey, , ...more] = partsOf(whole[0]);
  // Version 1 is the number 0.
  if (request.version !== 0) throw malformed('its version is unknown');
  // The schema lets more follow.
  if (whole.length > 3 || more.length > 0) throw malformed('it has more parts than belong there');
  if (partsOf(subject).some((relativeName) => partsOf(relativeName).length === 0))
    throw malformed('a part of its subject is empty');
  return { request, publicKey: new Uint8Array(publicKey!.toBER()) };
}

function partsOf(block: asn1.BaseBlock | undefined): asn1.BaseBlock[] {
  return block instanceof asn1.Constructed ? (block.valueBlock.value as asn1.BaseBlock[]) : [];
}

function verifyPossession(request: pkijs.CertificationRequest, key: KeyObject): void {
  const { algorithmId, algorithmParams } = request.signatureAlgorithm;
  const algorithm = signatureAlgorithms.get(algorithmId);
  // Parameters are absent (RFC 5758 §3.2) or NULL (RFC 4055 §5; and from older mbed TLS also for ECDSA).
  const plain = algorithmParams === undefined || algorithmParams instanceof asn1.Null;
  if (!algorithm || !plain || algorithm.key !== key.asymmetricKeyType) {
    throw new CaError('csr_signature_invalid', 'the CSR is signed with an algorithm that is not accepted');
  }
  const { unusedBits, valueHexView } = request.signatureValue.valueBlock;
  if (unusedBits !== 0 || !proves(algorithm.digest, request.tbsView, key, valueHexView)) {
    throw new CaError('csr_signature_invalid', "the CSR's signature does not prove possession of its key");
  }
}

function proves(digest: string, signed: Uint8Array, key: KeyObject, signature: Uint8Array): boolean {
  try {
    return verify(digest, signed, key, signature);
  } catch {
    return false;
  }
}

/** Exactly one; other parts of the subject are not copied and so do no harm (a renewing device may repeat its old serialNumber). */
function readCommonName(subject: pkijs.RelativeDistinguishedNames): string {
  const found = subject.typesAndValues.filter(({ type }) => type === oids.commonName);
  const value: unknown = found[0]?.value;
  if (found.length !== 1) {
    throw new CaError('csr_name_mismatch', 'the CSR must have exactly one common name');
  }
  // RFC 5280 §4.1.2.4: the other string types are for old certificates only.
  if (!(value instanceof asn1.Utf8String || value instanceof asn1.PrintableString)) {
    throw new CaError('csr_name_mismatch', 'the common name must be a UTF8String or a PrintableString');
  }
  return Buffer.from(value.valueBlock.valueHexView).toString('latin1');
}

function malformed(why: string): CaError {
  return new CaError('csr_malformed', `not a PKCS#10 request: ${why}`);
}
