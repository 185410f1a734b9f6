import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import * as asn1 from 'asn1js';
import * as pkijs from 'pkijs';
import { distinguishedName, ecdsaWithSha256 } from './certificate.ts';
import type { CertificateAuthority, IssuedCertificate, ProfileName } from './client.ts';
import { subjectAltName } from './extensions.ts';
import { oids } from './oids.ts';
import { encodePem } from './pem.ts';
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
  const request = new pkijs.CertificationRequest();
  request.subject = distinguishedName({ commonName });
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  request.subjectPublicKeyInfo = new pkijs.PublicKeyInfo({
    schema: asn1.fromBER(new Uint8Array(spki)).result,
  });
  // RFC 2986 §4.1: the attributes are there even when there are none.
  request.attributes = [];
  if (names.length > 0) {
    const extensions = new pkijs.Extensions({ extensions: [subjectAltName(names.map(parseSubjectName))] });
    request.attributes.push(
      new pkijs.Attribute({ type: oids.extensionRequest, values: [extensions.toSchema()] }),
    );
  }
  request.signatureAlgorithm = ecdsaWithSha256();
  const tbs = (request as unknown as { encodeTBS(): asn1.Sequence }).encodeTBS();
  const signature = sign('sha256', new Uint8Array(tbs.toBER(false)), privateKey);
  const signed = new asn1.Sequence({
    value: [
      tbs,
      ecdsaWithSha256().toSchema(),
      new asn1.BitString({ valueHex: new Uint8Array(signature), unusedBits: 0 }),
    ],
  });
  return encodePem('CERTIFICATE REQUEST', new Uint8Array(signed.toBER(false)));
}
