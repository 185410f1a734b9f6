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
import { as, partsOf, tagged } from './tree.ts';

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
  const request = takeApart(parseDer(der));
  const key = readPublicKey(request.publicKey, keys);
  verifyPossession(request, key);
  return {
    commonName: readCommonName(request.subject),
    publicKey: request.publicKey,
    der,
    ...readExtensions(request.attributes),
  };
}

interface Parts {
  /** What is signed, DER. */
  signed: Uint8Array;
  /** RDNs, each of its parts. */
  subject: asn1.BaseBlock[][];
  publicKey: Uint8Array<ArrayBuffer>;
  attributes: pkijs.Attribute[];
  algorithm: asn1.BaseBlock[];
  signature: asn1.BitString;
}

/** RFC 2986 §4.1 and §4.2. */
function takeApart(der: asn1.AsnType): Parts {
  try {
    const [info, algorithm, signature] = partsOf(der, 3);
    const [version, subject, publicKey, attributes] = partsOf(info, 4);
    // Version 1 is the number 0.
    if (as(asn1.Integer, version).valueBlock.valueDec !== 0) throw malformed('its version is unknown');
    const names = partsOf(as(asn1.Sequence, subject)).map((name) => partsOf(as(asn1.Set, name)));
    if (names.some((name) => name.length === 0)) throw malformed('a part of its subject is empty');
    return {
      signed: info!.valueBeforeDecodeView,
      subject: names,
      publicKey: new Uint8Array(as(asn1.Sequence, publicKey).valueBeforeDecodeView),
      attributes: tagged(attributes, 0).map((schema) => new pkijs.Attribute({ schema })),
      algorithm: partsOf(as(asn1.Sequence, algorithm)),
      signature: as(asn1.BitString, signature),
    };
  } catch (cause) {
    throw cause instanceof CaError ? cause : new CaError('csr_malformed', 'not a PKCS#10 request', { cause });
  }
}

function verifyPossession({ algorithm: [type, ...rest], signed, signature }: Parts, key: KeyObject): void {
  const algorithm = type instanceof asn1.ObjectIdentifier && signatureAlgorithms.get(type.getValue());
  // Parameters are absent (RFC 5758 §3.2) or NULL (RFC 4055 §5; and from older mbed TLS also for ECDSA).
  const plain = rest.length === 0 || (rest.length === 1 && rest[0] instanceof asn1.Null);
  if (!algorithm || !plain || algorithm.key !== key.asymmetricKeyType) {
    throw new CaError('csr_signature_invalid', 'the CSR is signed with an algorithm that is not accepted');
  }
  const { unusedBits, valueHexView } = signature.valueBlock;
  if (unusedBits !== 0 || !proves(algorithm.digest, signed, key, valueHexView)) {
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
function readCommonName(subject: asn1.BaseBlock[][]): string {
  const found = subject
    .flat()
    .map(readAttribute)
    .filter(({ type }) => type === oids.commonName);
  if (found.length !== 1) {
    throw new CaError('csr_name_mismatch', 'the CSR must have exactly one common name');
  }
  const value = found[0]?.value;
  // RFC 5280 §4.1.2.4: the other string types are for old certificates only.
  if (!(value instanceof asn1.Utf8String || value instanceof asn1.PrintableString)) {
    throw new CaError('csr_name_mismatch', 'the common name must be a UTF8String or a PrintableString');
  }
  return Buffer.from(value.valueBlock.valueHexView).toString('latin1');
}

function readAttribute(block: asn1.BaseBlock): { type: string; value: asn1.BaseBlock } {
  try {
    const [type, value] = partsOf(as(asn1.Sequence, block), 2);
    return { type: as(asn1.ObjectIdentifier, type).getValue(), value: value! };
  } catch (cause) {
    throw new CaError('csr_malformed', 'not a PKCS#10 request: a part of its subject cannot be read', {
      cause,
    });
  }
}

function malformed(why: string): CaError {
  return new CaError('csr_malformed', `not a PKCS#10 request: ${why}`);
}
