/** Certificates for the tests: a root, an issuing CA, and leaves by them. Made anew each time; nothing here is for use. */
import { webcrypto } from 'node:crypto';
import * as asn1js from 'asn1js';
import * as pkijs from 'pkijs';

export interface TestPair {
  cert: string;
  key: string;
  serial: string;
}
export interface TestCa {
  /** Root and issuing CA, PEM. */
  ca: string;
  /** `names` are DNS names for a server's SAN. `cert` is leaf and issuing CA. */
  leaf(commonName: string, names?: string[], crlAddress?: string): Promise<TestPair>;
  /** PEM, with these serials in it. */
  crl(revoked: string[], nextUpdate?: number): Promise<string>;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
pkijs.setEngine('node', new pkijs.CryptoEngine({ name: 'node', crypto: webcrypto as unknown as Crypto }));
let serials = 0x0a00;

interface Issuer {
  certificate: pkijs.Certificate;
  keys: CryptoKeyPair;
}

export async function createTestCa(name = 'Test'): Promise<TestCa> {
  const root = await certify(`${name} root`, null, { ca: true });
  const issuing = await certify(`${name} issuing`, root, { ca: true });
  const chain = pem('CERTIFICATE', issuing.certificate.toSchema().toBER());
  return {
    ca: pem('CERTIFICATE', root.certificate.toSchema().toBER()) + chain,
    async leaf(commonName, names, crlAddress) {
      const { certificate, keys } = await certify(commonName, issuing, { names, crlAddress });
      return {
        cert: pem('CERTIFICATE', certificate.toSchema().toBER()) + chain,
        key: pem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)),
        serial: Buffer.from(certificate.serialNumber.valueBlock.valueHexView).toString('hex').toUpperCase(),
      };
    },
    async crl(revoked, nextUpdate = Date.now() + 86_400_000) {
      const crl = new pkijs.CertificateRevocationList();
      crl.version = 1;
      crl.issuer = issuing.certificate.subject;
      crl.thisUpdate = time(Date.now() - 60_000);
      crl.nextUpdate = time(nextUpdate);
      if (revoked.length > 0)
        crl.revokedCertificates = revoked.map(
          (serial) =>
            new pkijs.RevokedCertificate({
              userCertificate: new asn1js.Integer({ value: Number.parseInt(serial, 16) }),
              revocationDate: time(Date.now() - 60_000),
            }),
        );
      const point = new pkijs.IssuingDistributionPoint({ onlyContainsUserCerts: true });
      const extnValue = point.toSchema().toBER();
      crl.crlExtensions = new pkijs.Extensions({
        extensions: [new pkijs.Extension({ extnID: '2.5.29.28', critical: true, extnValue })],
      });
      await crl.sign(issuing.keys.privateKey, 'SHA-256');
      return pem('X509 CRL', crl.toSchema().toBER());
    },
  };
}

function time(ms: number): pkijs.Time {
  return new pkijs.Time({ value: new Date(ms) });
}

async function certify(
  commonName: string,
  issuer: Issuer | null,
  options: { ca?: boolean; names?: string[] | undefined; crlAddress?: string | undefined },
): Promise<Issuer> {
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as CryptoKeyPair;
  const certificate = new pkijs.Certificate();
  certificate.version = 2;
  certificate.serialNumber = new asn1js.Integer({ value: ++serials });
  const put = (type: string, value: string) =>
    certificate.subject.typesAndValues.push(
      new pkijs.AttributeTypeAndValue({ type, value: new asn1js.Utf8String({ value }) }),
    );
  if (!options.ca) put('2.5.4.5', serials.toString(16).toUpperCase().padStart(4, '0'));
  put('2.5.4.3', commonName);
  certificate.issuer = issuer ? issuer.certificate.subject : certificate.subject;
  certificate.notBefore.value = new Date(Date.now() - 60_000);
  certificate.notAfter.value = new Date(Date.now() + 86_400_000);
  certificate.extensions = [];
  const extend = (extnID: string, critical: boolean, value: { toBER(): ArrayBuffer }) =>
    certificate.extensions!.push(new pkijs.Extension({ extnID, critical, extnValue: value.toBER() }));
  extend('2.5.29.19', true, new pkijs.BasicConstraints({ cA: options.ca ?? false }).toSchema());
  if (options.names) {
    const altNames = options.names.map((value) => new pkijs.GeneralName({ type: 2, value }));
    extend('2.5.29.17', false, new pkijs.GeneralNames({ names: altNames }).toSchema());
  }
  if (options.crlAddress) {
    const address = new pkijs.GeneralName({ type: 6, value: options.crlAddress });
    const point = new pkijs.DistributionPoint({ distributionPoint: [address] });
    const points = new pkijs.CRLDistributionPoints({ distributionPoints: [point] });
    extend('2.5.29.31', false, points.toSchema());
  }
  await certificate.subjectPublicKeyInfo.importKey(keys.publicKey);
  await certificate.sign(issuer?.keys.privateKey ?? keys.privateKey, 'SHA-256');
  return { certificate, keys };
}

function pem(label: string, der: ArrayBuffer): string {
  const lines = Buffer.from(der)
    .toString('base64')
    .match(/.{1,64}/g)!;
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
