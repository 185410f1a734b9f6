import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import * as asn1 from 'asn1js';
import * as pkijs from 'pkijs';
import { distinguishedName, ecdsaWithSha256, joinSignature, signTbs } from './certificate.ts';
import type { CertificateAuthority, IssuedCertificate, ProfileName } from './client.ts';
import { subjectAltName } from './extensions.ts';
import { oids } from './oids.ts';
import { encodePem } from './pem.ts';
import type { Signer } from './signer.ts';
import { parseSubjectName } from './subject-names.ts';

export interface KeyPairRequest {
  profile: ProfileName;
  commonName: string;
  /** DNS names and IP addresses for the SAN. */
  names?: string[];
}

/** `key` is PKCS#8 PEM, not encrypted. */
export type IssuedKeyPair = IssuedCertificate & { key: string };

/** A fresh P-256 key and its certificate in one call, for a server or client that runs beside the authority. */
export async function issueKeyPair(
  authority: CertificateAuthority,
  request: KeyPairRequest,
): Promise<IssuedKeyPair> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const csr = makeRequest(privateKey, request.commonName, request.names);
  const issued = await authority.issue({ ...request, csr });
  return { ...issued, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

/** A PKCS#10 request (PEM) for a P-256 key. */
export function makeRequest(
  privateKey: KeyObject,
  commonName: string,
  names: readonly string[] = [],
): string {
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const tbs = prepareRequest(new Uint8Array(spki), commonName, names);
  const signature = sign('sha256', new Uint8Array(tbs.toBER(false)), privateKey);
  return encodePem('CERTIFICATE REQUEST', joinSignature(tbs, signature));
}

/** The same for a key that only a signer holds. */
export async function makeRequestBy(signer: Signer, commonName: string): Promise<string> {
  const tbs = prepareRequest(signer.publicKey, commonName, []);
  return encodePem('CERTIFICATE REQUEST', await signTbs(tbs, signer));
}

function prepareRequest(
  spki: Uint8Array<ArrayBuffer>,
  commonName: string,
  names: readonly string[],
): asn1.Sequence {
  const request = new pkijs.CertificationRequest();
  request.subject = distinguishedName({ commonName });
  request.subjectPublicKeyInfo = new pkijs.PublicKeyInfo({ schema: asn1.fromBER(spki).result });
  // RFC 2986 §4.1: the attributes are there even when there are none.
  request.attributes = [];
  if (names.length > 0) {
    const extensions = new pkijs.Extensions({ extensions: [subjectAltName(names.map(parseSubjectName))] });
    request.attributes.push(
      new pkijs.Attribute({ type: oids.extensionRequest, values: [extensions.toSchema()] }),
    );
  }
  request.signatureAlgorithm = ecdsaWithSha256();
  return (request as unknown as { encodeTBS(): asn1.Sequence }).encodeTBS();
}
