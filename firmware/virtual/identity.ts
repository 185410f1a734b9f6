import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { deviceIdSchema } from '#emqx/protocol.ts';
import { createCsr } from './csr.ts';
import { Disk } from './disk.ts';
import { Flash } from './flash.ts';
import { DeviceFault } from './options.ts';
import type { Certificates } from './port.ts';

const identityFile = 'identity.json';
const enrolmentFile = 'enrolment.json';

export interface KeyPair {
  /** PKCS#8, PEM. */
  key: string;
  /** PEM, leaf first. */
  certificate: string;
  /** PEM of the issuing CAs, no root. */
  chain: string;
}

/** A renewal on its way: first only a key and the request for its certificate, then the pair, then the identity. */
export interface PendingIdentity {
  key: string;
  csr: string;
  issued: { certificate: string; chain: string } | null;
}

/** The one file that holds who a device is; a key and a certificate in it always belong together. */
export interface Identity extends KeyPair {
  pending: PendingIdentity | null;
}

function read(flash: Flash): Identity | null {
  const text = flash.readText(identityFile);
  return text ? (JSON.parse(text) as Identity) : null;
}

function write(flash: Flash, identity: Identity): void {
  flash.replaceText(identityFile, JSON.stringify(identity));
}

/** Who the device is in one of its lives. Each step of a renewal is one atomic write, and each can be the last before the power goes. */
export class StoredCertificates implements Certificates {
  readonly #flash: Flash;
  readonly #id: string;
  #identity: Identity;
  #validity: Certificates['validity'] | null = null;

  /** Throws DeviceFault('not_enrolled'). */
  constructor(flash: Flash, id: string, where: string) {
    const identity = read(flash);
    if (!identity) throw new DeviceFault('not_enrolled', `no identity in ${where}: enroll first`);
    this.#flash = flash;
    this.#id = id;
    this.#identity = identity;
  }

  get validity(): Certificates['validity'] {
    this.#validity ??= validity(this.#identity.certificate);
    return this.#validity;
  }

  get renewal(): Certificates['renewal'] {
    const { pending } = this.#identity;
    return pending ? (pending.issued ? 'issued' : 'key') : 'none';
  }

  pair(which: 'current' | 'new'): KeyPair {
    const { pending } = this.#identity;
    return which === 'new' && pending?.issued ? { key: pending.key, ...pending.issued } : this.#identity;
  }

  request(): string {
    const pending = this.#identity.pending ?? createRequest(createKey(), this.#id);
    if (!this.#identity.pending) this.#store({ ...this.#identity, pending: { ...pending, issued: null } });
    return pending.csr;
  }

  store(certificate: string, chain: string): string | null {
    const { pending } = this.#identity;
    const problem = pending
      ? (certificateProblem(certificate, pending.key, this.#id) ?? chainProblem(chain))
      : 'there is no key for it';
    if (pending && problem === null)
      this.#store({ ...this.#identity, pending: { ...pending, issued: { certificate, chain } } });
    return problem;
  }

  promote(): void {
    this.#store({ ...this.pair('new'), pending: null });
  }

  drop(): void {
    this.#store({ ...this.#identity, pending: null });
  }

  #store(identity: Identity): void {
    const { key, certificate, chain, pending } = identity;
    write(this.#flash, { key, certificate, chain, pending });
    this.#identity = identity;
    this.#validity = null;
  }
}

/** A new P-256 key, PKCS#8 PEM. */
export function createKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Why a certificate is not one for this key and this device; null when it is. */
export function certificateProblem(certificate: string, key: string, id: string): string | null {
  try {
    const x509 = new X509Certificate(certificate);
    if (commonName(x509) !== id) return `the certificate is for ${commonName(x509) ?? 'nobody'}`;
    if (!x509.checkPrivateKey(createPrivateKey(key))) return 'the certificate is for another key';
    return null;
  } catch (error) {
    return `not a certificate: ${(error as Error).message}`;
  }
}

/** Why a chain is none; null when all certificates in it can be read, or TLS would fail with all of it. */
function chainProblem(chain: string): string | null {
  const blocks = chain.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g);
  try {
    for (const block of blocks ?? []) new X509Certificate(block);
    return blocks ? null : 'there is no chain';
  } catch (error) {
    return `not a chain: ${(error as Error).message}`;
  }
}

export function validity(certificate: string): { notBefore: number; notAfter: number; serial: string } {
  const x509 = new X509Certificate(certificate);
  return {
    notBefore: Date.parse(x509.validFrom),
    notAfter: Date.parse(x509.validTo),
    serial: x509.serialNumber,
  };
}

function commonName(x509: X509Certificate): string | undefined {
  // One RDN a line; RFC 5280 also lets one RDN hold several attributes, which Node joins with a plus.
  return /(?:^|\n| \+ )CN=([A-Za-z0-9_-]+)(?=$|\n| \+ )/.exec(x509.subject)?.[1];
}

/**
 * Gets a device its first certificate: makes the key here, sends only the CSR to `POST <url>/api/issue_cert`, and stores
 * the pair. Nothing is done when a valid one is there; an expired one comes back with the key that it had.
 * Throws DeviceFault: options_invalid, enroll_refused (the answer says no), enroll_failed (no or a bad answer).
 */
export async function enroll(input: {
  dir: string;
  id: string;
  url: string;
  token: string;
  fsync?: boolean;
  /** The server's TLS is checked by the process's own trust; a test passes its own. */
  fetch?: typeof fetch;
}): Promise<{ enrolled: boolean }> {
  if (!deviceIdSchema.safeParse(input.id).success)
    throw new DeviceFault('options_invalid', 'id must be 1 to 64 of A-Z a-z 0-9 _ -');
  const flash = new Flash(new Disk(input.dir, input.fsync ?? true));
  const known = read(flash);
  const usable = known && certificateProblem(known.certificate, known.key, input.id) === null;
  if (usable && validity(known.certificate).notAfter > Date.now()) return { enrolled: false };

  // Kept until the answer is stored: a one-time token can only be used again with the very same CSR.
  const stored = flash.readText(enrolmentFile);
  const { key, csr } = stored
    ? (JSON.parse(stored) as { key: string; csr: string })
    : createRequest(usable ? known.key : createKey(), input.id);
  if (!stored) flash.replaceText(enrolmentFile, JSON.stringify({ key, csr }));
  const issued = await requestCertificate(input, csr);
  const problem = certificateProblem(issued.certificate, key, input.id) ?? chainProblem(issued.chain);
  if (problem) throw new DeviceFault('enroll_failed', problem);
  write(flash, { key, certificate: issued.certificate, chain: issued.chain, pending: null });
  flash.remove(enrolmentFile);
  return { enrolled: true };
}

function createRequest(key: string, id: string): { key: string; csr: string } {
  return { key, csr: createCsr(key, id) };
}

async function requestCertificate(
  input: { url: string; token: string; fetch?: typeof fetch },
  csr: string,
): Promise<{ certificate: string; chain: string }> {
  let response: Response;
  let body: Record<string, unknown>;
  try {
    response = await (input.fetch ?? fetch)(new URL('/api/issue_cert', input.url), {
      method: 'POST',
      headers: { authorization: `Bearer ${input.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ csr }),
      signal: AbortSignal.timeout(30_000),
    });
    body = (await response.json()) as Record<string, unknown>;
  } catch (error) {
    const { message, cause } = error as Error;
    const why = cause instanceof Error ? cause.message : message;
    throw new DeviceFault('enroll_failed', `cannot enroll at ${input.url}: ${why}`, { cause: error });
  }
  if (!response.ok)
    throw new DeviceFault(
      'enroll_refused',
      `enrolment refused: ${body.detail ?? body.title ?? response.status}`,
    );
  if (typeof body.certificate !== 'string' || typeof body.chain !== 'string')
    throw new DeviceFault('enroll_failed', 'the answer holds no certificate and chain');
  return { certificate: body.certificate, chain: body.chain };
}
