import { createHash, X509Certificate } from 'node:crypto';
import { randomSerial } from './authorities.ts';
import { encodeTbs, signCertificate } from './certificate.ts';
import { CaError, type IssuedCertificate, type IssueRequest, type ProfileName } from './client.ts';
import { crlAddress } from './crl.ts';
import { type CertificateRequest, readRequest } from './csr.ts';
import type { Hierarchy, Issuer } from './hierarchy.ts';
import { leafContent, type Wanted } from './leaf.ts';
import { lint } from './lint.ts';
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

/** From CSR to certificate: a request is checked, and the same one that comes twice at once is answered once. */
export function createIssuer(context: IssueContext): (request: IssueRequest) => Promise<IssuedCertificate> {
  const underway = new Map<string, Promise<IssuedCertificate>>();
  return async (request) => {
    const profile = pickProfile(context.profiles, request.profile);
    const csr = await checkRequest(request, profile);
    const requestDigest = createHash('sha256')
      .update(`${request.profile}\0${request.commonName}\0`)
      .update(csr.der)
      .digest('hex');
    const running = underway.get(requestDigest);
    if (running) return running;
    const result = issue(context, request.profile, csr, requestDigest).finally(() =>
      underway.delete(requestDigest),
    );
    underway.set(requestDigest, result);
    return result;
  };
}

/** No certificate exists whose serial we do not know, and none that its profile does not allow. */
async function issue(
  context: IssueContext,
  profileName: ProfileName,
  csr: CertificateRequest,
  requestDigest: string,
): Promise<IssuedCertificate> {
  const { hierarchy, profiles, store } = context;
  const profile = profiles[profileName];

  // 1. The same request again gets the certificate that it got.
  const earlier = await store.findByRequest(requestDigest);
  if (earlier?.state === 'issued' && (await isFresh(context, earlier))) return toAnswer(context, earlier);

  // 2. The newest issuing CA signs; its own end is the latest.
  const [issuer] = await hierarchy.issuers();
  const validity = pickValidity(context, issuer!, profile);

  // 3. The serial is written down before anything is signed.
  const { serial, record } = await reserveSerial(context, profileName, csr.commonName, requestDigest);

  // 4. What is to be signed is linted against its profile.
  const wanted: Wanted = {
    profile,
    issuer: issuer!,
    serial,
    csr,
    ...validity,
    ...(context.crlUrl === undefined ? {} : { crlUrl: crlAddress(context.crlUrl, issuer!.number) }),
  };
  const tbs = encodeTbs(leafContent(wanted));
  lint(tbs, wanted);

  // 5. It is signed.
  const { pem, fingerprint } = await signCertificate(tbs, issuer!.signer);

  // 6. The certificate is written down before it is handed out.
  const issued: IssuedRecord = {
    ...record,
    state: 'issued',
    certificate: pem,
    issuer: issuer!.id,
    fingerprint,
    notBefore: rfc3339(validity.notBefore),
    notAfter: rfc3339(validity.notAfter),
  };
  await store.complete(issued);
  return toAnswer(context, issued);
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

/**
 * Counted from the issue, not from the backdated notBefore. Neither one that is revoked is handed out again, nor one that is not valid yet: the
 * clock was wrong when it was made.
 */
async function isFresh(context: IssueContext, record: IssuedRecord): Promise<boolean> {
  const now = context.now();
  const middle = (Date.parse(record.reservedAt) + Date.parse(record.notAfter)) / 2;
  if (now < Date.parse(record.notBefore) || now >= middle) return false;
  return (await context.store.getRevocation(record.serial)) === undefined;
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
