import { createHash, X509Certificate } from 'node:crypto';
import { randomSerial } from './authorities.ts';
import type { SignedCertificate } from './certificate.ts';
import { CaError, type IssuedCertificate, type IssueRequest, type ProfileName } from './client.ts';
import { crlAddress } from './crl.ts';
import { type CertificateRequest, readRequest } from './csr.ts';
import type { Hierarchy, Issuer } from './hierarchy.ts';
import { type LeafContent, prepareLeaf } from './leaf.ts';
import { oids } from './oids.ts';
import { type Profile, type Profiles, pickProfile } from './profiles.ts';
import type { CertificateStore, IssuedRecord, ReservedRecord } from './store.ts';
import { parseSubjectName } from './subject-names.ts';

export interface IssueContext {
  hierarchy: Hierarchy;
  profiles: Profiles;
  store: CertificateStore;
  /** Where relying parties fetch the CRL; left out of certificates when there is none. */
  crlUrl?: string;
  /** Milliseconds since 1970. */
  now: () => number;
}

/**
 * From CSR to certificate. The order is: check everything, then write the serial down, then sign, then write the
 * certificate down, then answer; so no certificate exists whose serial we do not know.
 */
export function createIssuer(context: IssueContext): (request: IssueRequest) => Promise<IssuedCertificate> {
  const underway = new Map<string, Promise<IssuedCertificate>>();
  const sign = prepareOnce(context);
  return async (request) => {
    const profile = pickProfile(context.profiles, request.profile);
    const csr = await checkRequest(request, profile);
    const requestDigest = createHash('sha256')
      .update(`${request.profile}\0${request.commonName}\0`)
      .update(csr.der)
      .digest('hex');
    const running = underway.get(requestDigest);
    if (running) return running;
    const result = answerOnce(context, sign, request, profile, csr, requestDigest).finally(() =>
      underway.delete(requestDigest),
    );
    underway.set(requestDigest, result);
    return result;
  };
}

async function checkRequest(request: IssueRequest, profile: Profile): Promise<CertificateRequest> {
  if (!profile.commonName.test(request.commonName)) {
    throw new CaError('name_invalid', `a ${request.profile} cannot have this common name`);
  }
  const allowed = new Set((request.names ?? []).map((name) => parseSubjectName(name).text));
  const csr = await readRequest(request.csr, profile.keys);
  if (csr.commonName !== request.commonName) {
    throw new CaError('csr_name_mismatch', `the CSR's common name is not "${request.commonName}"`);
  }
  if (request.sameKeyAs !== undefined) checkSameKey(csr, request.sameKeyAs);
  const unexpected = csr.names.find((name) => !allowed.has(name.text));
  if (unexpected)
    throw new CaError('csr_name_refused', `the CSR may not carry the name "${unexpected.text}"`);
  if (profile.subjectAltName === 'none' && csr.names.length > 0) {
    throw new CaError('csr_name_refused', `a ${request.profile} certificate carries no alternative names`);
  }
  if (profile.subjectAltName === 'required' && csr.names.length === 0) {
    throw new CaError(
      'csr_name_refused',
      `a ${request.profile} certificate needs a DNS name or an IP address`,
    );
  }
  const granted: string[] = profile.extKeyUsage.map((purpose) => oids[purpose]);
  if (!csr.purposes.every((purpose) => granted.includes(purpose))) {
    throw new CaError(
      'csr_extension_refused',
      `a ${request.profile} certificate is not for what the CSR asks`,
    );
  }
  return csr;
}

function checkSameKey(csr: CertificateRequest, pem: string): void {
  const known = readCertificateKey(pem);
  if (!known.equals(csr.publicKey)) {
    throw new CaError(
      'csr_key_mismatch',
      'the CSR is not signed with the key of the certificate that is known',
    );
  }
}

function readCertificateKey(pem: string): Buffer {
  try {
    return new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' });
  } catch (cause) {
    throw new CaError('request_invalid', 'sameKeyAs is not a certificate', { cause });
  }
}

type SignLeaf = (issuer: Issuer, profile: ProfileName, content: LeafContent) => Promise<SignedCertificate>;

function prepareOnce({ profiles, crlUrl }: IssueContext): SignLeaf {
  const prepared = new Map<string, ReturnType<typeof prepareLeaf>>();
  return (issuer, name, content) => {
    const key = `${issuer.id} ${name}`;
    let encode = prepared.get(key);
    if (!encode) {
      const address = crlUrl === undefined ? {} : { crlUrl: crlAddress(crlUrl, issuer.number) };
      encode = prepareLeaf({ issuer, profile: profiles[name], ...address });
      prepared.set(key, encode);
    }
    return encode(content);
  };
}

async function answerOnce(
  context: IssueContext,
  sign: SignLeaf,
  request: IssueRequest,
  profile: Profile,
  csr: CertificateRequest,
  requestDigest: string,
): Promise<IssuedCertificate> {
  const earlier = await context.store.findByRequest(requestDigest);
  if (earlier?.state === 'issued' && (await isFresh(context, earlier))) return toAnswer(context, earlier);
  const [issuer] = await context.hierarchy.issuers();
  const validity = pickValidity(context, issuer!, profile);
  const { serial, record } = await reserveSerial(context, request.profile, request.commonName, requestDigest);
  const { pem, fingerprint } = await sign(issuer!, request.profile, {
    serial,
    serialText: record.serial,
    commonName: request.commonName,
    publicKey: csr.publicKey,
    publicKeyBits: csr.publicKeyBits,
    names: csr.names,
    ...validity,
  });
  const issued: IssuedRecord = {
    ...record,
    state: 'issued',
    certificate: pem,
    issuer: issuer!.id,
    fingerprint,
    notBefore: rfc3339(validity.notBefore),
    notAfter: rfc3339(validity.notAfter),
  };
  await context.store.complete(issued);
  return toAnswer(context, issued);
}

/** Counted from the issue, not from the backdated notBefore. A revoked certificate is never handed out again. */
async function isFresh(context: IssueContext, record: IssuedRecord): Promise<boolean> {
  const from = Date.parse(record.reservedAt);
  const middle = (from + Date.parse(record.notAfter)) / 2;
  return context.now() < middle && (await context.store.getRevocation(record.serial)) === undefined;
}

async function reserveSerial(
  context: IssueContext,
  profile: ProfileName,
  commonName: string,
  requestDigest: string,
): Promise<{ serial: Buffer; record: ReservedRecord }> {
  for (;;) {
    const serial = randomSerial();
    const record: ReservedRecord = {
      serial: serial.toString('hex').toUpperCase(),
      state: 'reserved',
      profile,
      commonName,
      requestDigest,
      reservedAt: new Date(context.now()).toISOString(),
    };
    if (await context.store.reserve(record)) return { serial, record };
  }
}

function pickValidity(
  context: IssueContext,
  issuer: Issuer,
  profile: Profile,
): { notBefore: Date; notAfter: Date } {
  // Certificates count in whole seconds.
  const now = Math.floor(context.now() / 1000) * 1000;
  const last = issuer.notAfter.getTime();
  if (last <= now) throw new CaError('issuer_expired', 'the issuing CA has expired');
  const notAfter = Math.min(now + profile.lifetimeSeconds * 1000, last);
  return { notBefore: new Date(now - profile.backdateSeconds * 1000), notAfter: new Date(notAfter) };
}

function toAnswer(context: IssueContext, record: IssuedRecord): IssuedCertificate {
  const { serial, commonName, certificate, notBefore, notAfter, fingerprint } = record;
  const chain = context.hierarchy.chainOf(record.issuer);
  if (chain === undefined) throw new CaError('hierarchy_damaged', `the issuing CA of ${serial} is not here`);
  return { serial, commonName, certificate, chain, notBefore, notAfter, fingerprint };
}

function rfc3339(value: Date): string {
  return value.toISOString().replace('.000Z', 'Z');
}
