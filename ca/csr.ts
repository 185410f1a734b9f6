import { type KeyObject, verify } from 'node:crypto';
import * as asn1 from 'asn1js';
import * as pkijs from 'pkijs';
import { CaError } from './client.ts';
import { checkDer, type Element, readElements } from './der.ts';
import { objectIdentifier, tags } from './der-writer.ts';
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
  /** Its BIT STRING without the octet of unused bits: what key identifiers are made from. */
  publicKeyBits: Uint8Array;
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
  checkDer(der);
  const parts = takeApart(der);
  const publicKey = der.subarray(parts.publicKey.at, parts.publicKey.end);
  const key = await readPublicKey(publicKey, keys);
  verifyPossession(der, parts, key);
  const bits = readElements(der, parts.publicKey.start, parts.publicKey.end).at(-1);
  return {
    commonName: readCommonName(der, parts.subject),
    publicKey,
    publicKeyBits: der.subarray((bits?.start ?? 0) + 1, bits?.end),
    der,
    ...readExtensions(parseAttributes(der, parts.attributes)),
  };
}

interface Parts {
  signed: Element;
  subject: Element;
  publicKey: Element;
  attributes: Element | undefined;
  algorithm: Element;
  signature: Element;
}

/** RFC 2986 §4.1 and §4.2, by hand: a generic parser takes longer than both signatures. */
function takeApart(der: Uint8Array): Parts {
  const [whole] = readElements(der, 0, der.length);
  const [signed, algorithm, signature, ...behind] = inside(der, whole, tags.sequence);
  const [version, subject, publicKey, attributes, ...more] = inside(der, signed, tags.sequence);
  const shapes =
    behind.length + more.length === 0 &&
    version?.tag === tags.integer &&
    subject?.tag === tags.sequence &&
    publicKey?.tag === tags.sequence &&
    // [0], and left out by some although the standard has it always.
    (attributes === undefined || attributes.tag === 0xa0) &&
    algorithm?.tag === tags.sequence &&
    signature?.tag === tags.bitString;
  if (!shapes || !signed) throw malformed('it has not the parts of a PKCS#10 request');
  // Version 1 is the number 0.
  if (version.end - version.start !== 1 || der[version.start] !== 0)
    throw malformed('its version is unknown');
  return { signed, subject, publicKey, attributes, algorithm, signature };
}

function inside(der: Uint8Array, element: Element | undefined, tag: number): Element[] {
  if (element?.tag !== tag) throw malformed('an element is not what belongs there');
  return readElements(der, element.start, element.end);
}

/** Parameters are absent (RFC 5758 §3.2) or NULL (RFC 4055 §5; and from older mbed TLS also for ECDSA). */
const algorithms = [...signatureAlgorithms].map(([oid, algorithm]) => ({
  ...algorithm,
  absent: objectIdentifier(oid),
  withNull: Buffer.concat([objectIdentifier(oid), Uint8Array.of(0x05, 0x00)]),
}));

function verifyPossession(der: Uint8Array, parts: Parts, key: KeyObject): void {
  const named = der.subarray(parts.algorithm.start, parts.algorithm.end);
  const algorithm = algorithms.find(({ absent, withNull }) => absent.equals(named) || withNull.equals(named));
  if (!algorithm || algorithm.key !== key.asymmetricKeyType) {
    throw new CaError('csr_signature_invalid', 'the CSR is signed with an algorithm that is not accepted');
  }
  const { start, end } = parts.signature;
  const signature = der.subarray(start + 1, end);
  const signed = der.subarray(parts.signed.at, parts.signed.end);
  if (der[start] !== 0 || !proves(algorithm.digest, signed, key, signature)) {
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

const commonNameType = objectIdentifier(oids.commonName);

/** Exactly one; other parts of the subject are not copied and so do no harm (a renewing device may repeat its old serialNumber). */
function readCommonName(der: Uint8Array, subject: Element): string {
  const found: Element[] = [];
  for (const relativeName of readElements(der, subject.start, subject.end)) {
    const parts = inside(der, relativeName, tags.set);
    if (parts.length === 0) throw malformed('a part of its subject is empty');
    for (const part of parts) {
      const [type, value, ...more] = inside(der, part, tags.sequence);
      if (type?.tag !== tags.oid || type.start === type.end || !value || more.length > 0) {
        throw malformed('its subject cannot be read');
      }
      if (commonNameType.equals(der.subarray(type.at, type.end))) found.push(value);
    }
  }
  const [value] = found;
  if (!value || found.length !== 1) {
    throw new CaError('csr_name_mismatch', 'the CSR must have exactly one common name');
  }
  // RFC 5280 §4.1.2.4: the other string types are for old certificates only.
  if (value.tag !== tags.utf8String && value.tag !== tags.printableString) {
    throw new CaError('csr_name_mismatch', 'the common name must be a UTF8String or a PrintableString');
  }
  return Buffer.from(der.subarray(value.start, value.end)).toString('latin1');
}

function parseAttributes(der: Uint8Array<ArrayBuffer>, attributes: Element | undefined): pkijs.Attribute[] {
  if (!attributes) return [];
  return readElements(der, attributes.start, attributes.end).map(({ at, end }) => {
    try {
      const limits = { maxDepth: 24, maxNodes: 2_000 };
      const { result, offset } = asn1.fromBER(new Uint8Array(der.subarray(at, end)), limits);
      if (offset === -1) throw new Error(result.error);
      return new pkijs.Attribute({ schema: result });
    } catch (cause) {
      throw new CaError('csr_malformed', 'an attribute of the CSR cannot be read', { cause });
    }
  });
}

function malformed(why: string): CaError {
  return new CaError('csr_malformed', `not a PKCS#10 request: ${why}`);
}
