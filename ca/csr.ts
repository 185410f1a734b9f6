import { type KeyObject, verify } from 'node:crypto';
import * as asn1 from 'asn1js';
import * as pkijs from 'pkijs';
import { CaError } from './client.ts';
import { checkDer } from './der.ts';
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
export function readRequest(pem: string, keys: KeyPolicy): CertificateRequest {
  if (pem.length > maxPemChars)
    throw new CaError('csr_too_large', `a CSR has at most ${maxPemChars} characters`);
  const der = decodePem(pem, ['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST']);
  if (der.length > maxCsrBytes) throw new CaError('csr_too_large', `a CSR has at most ${maxCsrBytes} bytes`);
  checkDer(der);
  const request = parse(der);
  // RFC 2986 §4.1: version 1 is the number 0.
  if (request.version !== 0) throw new CaError('csr_malformed', 'the CSR has an unknown version');
  const publicKey = new Uint8Array(request.subjectPublicKeyInfo.toSchema().toBER(false));
  const key = readPublicKey(publicKey, keys);
  verifyPossession(request, key);
  return { commonName: readCommonName(request), publicKey, der, ...readExtensions(request.attributes ?? []) };
}

function parse(der: Uint8Array<ArrayBuffer>): pkijs.CertificationRequest {
  try {
    const { result, offset } = asn1.fromBER(der, { maxDepth: 24, maxNodes: 2_000 });
    if (offset === -1) throw new Error(result.error);
    return new pkijs.CertificationRequest({ schema: result });
  } catch (cause) {
    throw new CaError('csr_malformed', 'not a PKCS#10 request', { cause });
  }
}

function verifyPossession(request: pkijs.CertificationRequest, key: KeyObject): void {
  const algorithm = signatureAlgorithms.get(request.signatureAlgorithm.algorithmId);
  if (!algorithm || algorithm.key !== key.asymmetricKeyType) {
    throw new CaError('csr_signature_invalid', 'the CSR is signed with an algorithm that is not accepted');
  }
  const { unusedBits, valueHexView: signature } = request.signatureValue.valueBlock;
  if (unusedBits !== 0 || !proves(algorithm.digest, request.tbsView, key, signature)) {
    throw new CaError('csr_signature_invalid', "the CSR's signature does not prove possession of its key");
  }
}

function proves(digest: string, tbs: Uint8Array, key: KeyObject, signature: Uint8Array): boolean {
  try {
    return verify(digest, tbs, key, signature);
  } catch {
    return false;
  }
}

/** Exactly one; other parts of the subject are not copied and so do no harm (a renewing device may repeat its old serialNumber). */
function readCommonName(request: pkijs.CertificationRequest): string {
  const parts = request.subject.typesAndValues.filter((part) => part.type === oids.commonName);
  const value: unknown = parts[0]?.value;
  if (parts.length !== 1) throw new CaError('csr_name_mismatch', 'the CSR must have exactly one common name');
  // RFC 5280 §4.1.2.4: the other string types are for old certificates only.
  if (!(value instanceof asn1.Utf8String || value instanceof asn1.PrintableString)) {
    throw new CaError('csr_name_mismatch', 'the common name must be a UTF8String or a PrintableString');
  }
  return Buffer.from(value.valueBlock.valueHexView).toString('latin1');
}
