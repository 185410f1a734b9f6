import { createPrivateKey, createPublicKey, randomBytes, webcrypto } from 'node:crypto';
import * as asn1js from 'asn1js';
import * as pkijs from 'pkijs';
import { createKey } from '../identity.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
const dayMs = 24 * 3600 * 1000;

export interface Pair {
  key: string;
  certificate: string;
}

/** A root, an issuing CA and what they sign: just enough to put real TLS around a test. */
export interface Pki {
  root: string;
  issuing: string;
  trust: string;
  server(): Promise<Pair>;
  /** Signs a CSR as the CA would; the lifetime in ms from now, backwards and forwards. */
  issue(csr: string, life?: { ageMs?: number; leftMs?: number }): Promise<string>;
}

export async function createPki(): Promise<Pki> {
  const root = await sign({ name: 'Test root', ca: true });
  const issuing = await sign({ name: 'Test issuing', ca: true, issuer: root });
  return {
    root: root.certificate,
    issuing: issuing.certificate,
    trust: `${root.certificate}${issuing.certificate}`,
    server: async () => {
      const pair = await sign({ name: 'localhost', issuer: issuing, server: true });
      return { key: pair.key, certificate: `${pair.certificate}${issuing.certificate}` };
    },
    issue: async (pem, life) => {
      const csr = pkijs.CertificationRequest.fromBER(fromPem(pem));
      if (!(await csr.verify())) throw new Error('the CSR is not signed by its key');
      const name = csr.subject.typesAndValues[0]?.value.valueBlock.value as string;
      const spki = csr.subjectPublicKeyInfo.toSchema().toBER();
      return (await sign({ name, issuer: issuing, spki: Buffer.from(spki), serialInName: true, ...life }))
        .certificate;
    },
  };
}

async function sign(input: {
  name: string;
  ca?: boolean;
  server?: boolean;
  serialInName?: boolean;
  issuer?: Pair;
  spki?: Buffer;
  ageMs?: number;
  leftMs?: number;
}): Promise<Pair> {
  const key = createKey();
  const certificate = new pkijs.Certificate();
  const serial = randomBytes(8);
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  certificate.version = 2;
  certificate.serialNumber = new asn1js.Integer({ valueHex: new Uint8Array(serial).buffer });
  if (input.serialInName) addName(certificate.subject, '2.5.4.5', serial.toString('hex').toUpperCase());
  addName(certificate.subject, '2.5.4.3', input.name);
  if (input.issuer) certificate.issuer = pkijs.Certificate.fromBER(fromPem(input.issuer.certificate)).subject;
  else addName(certificate.issuer, '2.5.4.3', input.name);
  certificate.notBefore.value = new Date(Date.now() - (input.ageMs ?? dayMs));
  certificate.notAfter.value = new Date(Date.now() + (input.leftMs ?? 365 * dayMs));
  const spki = input.spki ?? createPublicKey(key).export({ type: 'spki', format: 'der' });
  const { subtle } = webcrypto;
  const publicKey = await subtle.importKey('spki', spki, algorithm, true, ['verify']);
  await certificate.subjectPublicKeyInfo.importKey(publicKey as CryptoKey);
  certificate.extensions = [
    extension('2.5.29.19', new pkijs.BasicConstraints({ cA: input.ca ?? false }).toSchema(), true),
    ...(input.server ? [subjectAltName()] : []),
  ];
  const signer = createPrivateKey(input.issuer?.key ?? key).export({ type: 'pkcs8', format: 'der' });
  const privateKey = await subtle.importKey('pkcs8', signer, algorithm, false, ['sign']);
  await certificate.sign(privateKey as CryptoKey, 'SHA-256');
  return { key, certificate: toPem(Buffer.from(certificate.toSchema(true).toBER())) };
}

function addName(name: pkijs.RelativeDistinguishedNames, type: string, value: string): void {
  name.typesAndValues.push(
    new pkijs.AttributeTypeAndValue({ type, value: new asn1js.Utf8String({ value }) }),
  );
}

function extension(extnID: string, schema: { toBER(): ArrayBuffer }, critical = false): pkijs.Extension {
  return new pkijs.Extension({ extnID, critical, extnValue: schema.toBER() });
}

function subjectAltName(): pkijs.Extension {
  const names = new pkijs.GeneralNames({
    names: [
      new pkijs.GeneralName({ type: 2, value: 'localhost' }),
      new pkijs.GeneralName({
        type: 7,
        value: new asn1js.OctetString({ valueHex: new Uint8Array([127, 0, 0, 1]).buffer }),
      }),
    ],
  });
  return extension('2.5.29.17', names.toSchema());
}

function fromPem(pem: string): ArrayBuffer {
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  return new Uint8Array(der).buffer;
}

function toPem(der: Buffer): string {
  return `-----BEGIN CERTIFICATE-----\n${der
    .toString('base64')
    .match(/.{1,64}/g)
    ?.join('\n')}\n-----END CERTIFICATE-----\n`;
}
