import { createPrivateKey, createPublicKey } from 'node:crypto';

const commonNameOid = '2.5.4.3';

/** A PKCS#10 request (PEM) with subject CN=<id>, signed by the key (PKCS#8 PEM, P-256). */
export async function createCsr(key: string, id: string): Promise<string> {
  // Loaded when first needed: a process full of devices that never renew does without.
  const [asn1js, pkijs] = await Promise.all([import('asn1js'), import('pkijs')]);
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const { subtle } = globalThis.crypto;
  const privateDer = createPrivateKey(key).export({ type: 'pkcs8', format: 'der' });
  const publicDer = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const privateKey = await subtle.importKey('pkcs8', privateDer, algorithm, false, ['sign']);
  const publicKey = await subtle.importKey('spki', publicDer, algorithm, true, ['verify']);

  const request = new pkijs.CertificationRequest({ version: 0 });
  request.subject.typesAndValues.push(
    new pkijs.AttributeTypeAndValue({ type: commonNameOid, value: new asn1js.Utf8String({ value: id }) }),
  );
  await request.subjectPublicKeyInfo.importKey(publicKey);
  await request.sign(privateKey, 'SHA-256');
  const base64 = Buffer.from(request.toSchema(true).toBER()).toString('base64');
  const lines = base64.match(/.{1,64}/g)?.join('\n');
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines}\n-----END CERTIFICATE REQUEST-----\n`;
}
