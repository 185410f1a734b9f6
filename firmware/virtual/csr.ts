import { createPublicKey, sign } from 'node:crypto';
import * as asn1js from 'asn1js';

const commonName = '2.5.4.3';
const ecdsaWithSha256 = '1.2.840.10045.4.3.2';

/** A PKCS#10 request (RFC 2986; PEM) with subject CN=<id>, signed by the key (PKCS#8 PEM, P-256). */
export function createCsr(key: string, id: string): string {
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const name = sequence(oid(commonName), new asn1js.Utf8String({ value: id }));
  const info = sequence(
    new asn1js.Integer({ value: 0 }),
    sequence(new asn1js.Set({ value: [name] })),
    asn1js.fromBER(publicKey).result,
    // [0] attributes: none.
    new asn1js.Constructed({ idBlock: { tagClass: 3, tagNumber: 0 }, value: [] }),
  );
  const signature = sign('sha256', Buffer.from(info.toBER()), key);
  const request = sequence(
    info,
    sequence(oid(ecdsaWithSha256)),
    new asn1js.BitString({ valueHex: new Uint8Array(signature).buffer }),
  );
  const base64 = Buffer.from(request.toBER()).toString('base64');
  const lines = base64.match(/.{1,64}/g)?.join('\n');
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines}\n-----END CERTIFICATE REQUEST-----\n`;
}

function sequence(...value: asn1js.BaseBlock[]): asn1js.Sequence {
  return new asn1js.Sequence({ value: value as asn1js.AsnType[] });
}

function oid(value: string): asn1js.ObjectIdentifier {
  return new asn1js.ObjectIdentifier({ value });
}
