import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { makeRoot, publicKeyBits, randomSerial } from './authorities.ts';
import { distinguishedName, signCertificate } from './certificate.ts';
import * as extensions from './extensions.ts';
import { prepareLeaf } from './leaf.ts';
import { decodePem } from './pem.ts';
import { validateProfiles } from './profiles.ts';
import { keyIdentifier } from './signer.ts';
import { parseSubjectName } from './subject-names.ts';

const profiles = validateProfiles();
const day = 86_400_000;

describe('a leaf written by hand', () => {
  it.each([
    ['device', [], undefined],
    ['device', [], 'http://127.0.0.1/crl.pem'],
    ['broker', ['host.example', '10.0.0.1', 'fd00::1'], 'http://127.0.0.1/crl.pem'],
    ['service', Array.from({ length: 40 }, (_, index) => `host-${index}.example`), undefined],
  ] as const)('for a %s is what pkijs makes of it, octet for octet', async (name, list, crlUrl) => {
    const { authority: issuer } = await makeRoot('Test', undefined, Date.now());
    const profile = profiles[name];
    const { publicKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    const publicKey = new Uint8Array(key.export({ type: 'spki', format: 'der' }));
    const names = list.map(parseSubjectName);
    for (const serial of [
      randomSerial(),
      Buffer.from('7f'.repeat(16), 'hex'),
      Buffer.from('80'.repeat(16), 'hex'),
    ]) {
      const serialText = serial.toString('hex').toUpperCase();
      const notBefore = new Date(Math.floor(Date.now() / 1000) * 1000);
      const notAfter = new Date(notBefore.getTime() + 30 * 365 * day);
      const bits = publicKeyBits(publicKey);
      const commonName = 'dev-1';
      const content = {
        serial,
        serialText,
        commonName,
        publicKey,
        publicKeyBits: bits,
        notBefore,
        notAfter,
        names,
      };
      const { pem } = await prepareLeaf({ issuer, profile, ...(crlUrl && { crlUrl }) })(content);
      const reference = await signCertificate(
        {
          serial,
          issuer: issuer.subject,
          subject: distinguishedName({
            commonName,
            ...(profile.serialInSubject && { serialNumber: serialText }),
          }),
          publicKey,
          notBefore,
          notAfter,
          extensions: [
            extensions.basicConstraints(undefined),
            extensions.keyUsage(['digitalSignature']),
            extensions.extKeyUsage(profile.extKeyUsage),
            extensions.subjectKeyIdentifier(keyIdentifier(bits)),
            extensions.authorityKeyIdentifier(issuer.keyId),
            ...(names.length > 0 ? [extensions.subjectAltName(names)] : []),
            ...(crlUrl ? [extensions.crlDistributionPoint(crlUrl)] : []),
          ],
        },
        issuer.signer,
      );
      expect(withoutSignature(pem)).toEqual(withoutSignature(reference.pem));
      expect(new X509Certificate(pem).verify(new X509Certificate(issuer.certificate).publicKey)).toBe(true);
    }
  });
});

/** ECDSA signs differently each time, and its last element varies in length: so what is signed, found by its own length. */
function withoutSignature(pem: string): Buffer {
  const der = Buffer.from(decodePem(pem, ['CERTIFICATE']));
  return der.subarray(4, 8 + der.readUInt16BE(6));
}
