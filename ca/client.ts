/**
 * The certificate authority as its callers see it: the interface, its errors, and the client of the private service.
 * Nothing here touches ASN.1, so the webhook can import this file alone.
 */
import { Agent, request } from 'node:https';
import { z } from 'zod';
import type { Attested, LogHead, WitnessedHead } from './witnessed-head.ts';

export {
  type Attested,
  type LogHead,
  readAttested,
  readWitnessedHead,
  type WitnessedHead,
} from './witnessed-head.ts';

export const profileNames = ['device', 'broker', 'broker-node', 'service'] as const;
export type ProfileName = (typeof profileNames)[number];

export const caErrorCodes = [
  'csr_malformed',
  'csr_too_large',
  'csr_signature_invalid',
  'csr_key_refused',
  'csr_key_mismatch',
  'csr_name_mismatch',
  'csr_name_refused',
  'csr_extension_refused',
  'name_invalid',
  'profile_unknown',
  'request_invalid',
  'not_allowed',
  'not_found',
  'certificate_unknown',
  'already_revoked',
  'passphrase_wrong',
  'hierarchy_damaged',
  'issuer_expired',
  'issuer_missing',
  'issuing_mismatch',
  'root_missing',
  'lint_failed',
  'head_conflict',
  'directory_busy',
  'overloaded',
  'registration_failed',
  'config_invalid',
  'ca_unavailable',
  'internal',
] as const;
export type CaErrorCode = (typeof caErrorCodes)[number];

export class CaError extends Error {
  readonly code: CaErrorCode;

  constructor(code: CaErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CaError';
    this.code = code;
  }
}

export interface IssueRequest {
  /** PKCS#10, PEM. */
  csr: string;
  profile: ProfileName;
  /** The CSR's only common name must equal it. */
  commonName: string;
  /** The DNS names and IP addresses that the CSR may carry in its SAN; none when left out. */
  names?: string[];
  /** A certificate (PEM, expired or not) whose key the CSR must have: how a device proves that it is the one we knew. */
  sameKeyAs?: string;
}

export interface IssuedCertificate {
  /** Upper-case hex, 32 digits. */
  serial: string;
  commonName: string;
  /** The leaf, PEM. */
  certificate: string;
  /** The issuing CA, PEM; the root is not in it. */
  chain: string;
  /** RFC 3339, UTC. */
  notBefore: string;
  notAfter: string;
  /** SHA-256 of the leaf's DER, lower-case hex. */
  fingerprint: string;
}

/** RFC 5280 §5.3.1, without those that make no sense here (hold, removal, CA and attribute-authority compromise). */
export const revocationReasons = {
  unspecified: 0,
  keyCompromise: 1,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  privilegeWithdrawn: 9,
} as const;
export type RevocationReason = keyof typeof revocationReasons;

export interface CertificateAuthority {
  /** The same CSR for the same profile and name gets the same certificate while that is in its first half of life. */
  issue(request: IssueRequest): Promise<IssuedCertificate>;
  /** PEM: the root, and every issuing CA that has not expired, the one that signs now first. */
  trust(): Promise<{ root: string; issuing: string }>;
}

export interface PublishedCrl {
  /** What the file is called beside the address that certificates name: `crl.pem`, `crl-2.pem`, … */
  name: string;
  pem: string;
  number: number;
  /** RFC 3339. */
  nextUpdate: string;
}

export interface RevokingAuthority extends CertificateAuthority {
  /** @throws CaError certificate_unknown | already_revoked */
  revoke(serial: string, reason: RevocationReason): Promise<{ serial: string; revokedAt: string }>;
  /** The current CRLs, PEM, one behind the other. */
  crl(): Promise<string>;
  /** One for each issuing CA that has not expired, the newest CA first. */
  crls(): Promise<PublishedCrl[]>;
  /**
   * Signs the head of the audit log and remembers it as the last one.
   * @throws CaError head_conflict when a longer log, or another of this length, was witnessed before
   */
  witness(head: LogHead): Promise<WitnessedHead>;
  /** The last head that was witnessed; null before the first. */
  witnessed(): Promise<WitnessedHead | null>;
  /** Signs the SHA-256 (64 hex digits) of evidence. */
  attest(sha256: string): Promise<Attested>;
  /** Prometheus' text; absent of one behind a connection, which tells it itself. */
  metrics?(): Promise<string>;
}

export interface AuthorityConnection extends RevokingAuthority {
  close(): void;
}

export interface ConnectOptions {
  /** https://host:port of the private service. */
  url: string;
  /** A service certificate (leaf, then chain) and its key; the CA certificates to trust. PEM. */
  cert: string;
  key: string;
  ca: string;
  timeoutMs?: number;
  /** Requests at the same time; others wait for them here. */
  maxConnections?: number;
}

const issuedSchema = z.object({
  serial: z.string().regex(/^[0-9A-F]{2,40}$/),
  commonName: z.string(),
  certificate: z.string(),
  chain: z.string(),
  notBefore: z.string(),
  notAfter: z.string(),
  fingerprint: z.string(),
});
const trustSchema = z.object({ root: z.string(), issuing: z.string() });
const revokedSchema = z.object({ serial: z.string(), revokedAt: z.string() });
const crlSchema = z.object({
  crls: z.array(z.object({ name: z.string(), pem: z.string(), number: z.number(), nextUpdate: z.string() })),
});
const headSchema = z.object({ id: z.int(), hash: z.string(), at: z.string(), jws: z.string() });
const lastHeadSchema = z.object({ head: headSchema.nullable() });
const attestedSchema = z.object({ sha256: z.string(), at: z.string(), jws: z.string() });
const problemSchema = z.object({ code: z.enum(caErrorCodes), detail: z.string() });

const maxAnswerBytes = 32 * 1024 * 1024;

/** Network faults, time-outs and answers that make no sense are all CaError `ca_unavailable`. */
export function connectAuthority(options: ConnectOptions): AuthorityConnection {
  const base = new URL(options.url);
  if (base.protocol !== 'https:') throw new CaError('config_invalid', 'the CA is reached over https only');
  const { cert, key, ca, timeoutMs = 10_000, maxConnections = 32 } = options;
  const agent = new Agent({
    cert,
    key,
    ca,
    keepAlive: true,
    maxSockets: maxConnections,
    minVersion: 'TLSv1.2',
  });

  async function call<T>(method: string, path: string, schema: z.ZodType<T>, body?: unknown): Promise<T> {
    const answer = await send(base, agent, method, path, body, timeoutMs);
    const parsed = parseJson(answer.text);
    if (answer.status === 200) {
      const value = schema.safeParse(parsed);
      if (value.success) return value.data;
      throw new CaError('ca_unavailable', `the CA's answer to ${path} is not understood`);
    }
    const problem = problemSchema.safeParse(parsed);
    if (problem.success) throw new CaError(problem.data.code, problem.data.detail);
    throw new CaError('ca_unavailable', `the CA answered ${path} with status ${answer.status}`);
  }

  return {
    issue: (issueRequest) => call('POST', '/issue', issuedSchema, issueRequest),
    trust: () => call('GET', '/trust', trustSchema),
    revoke: (serial, reason) => call('POST', '/revoke', revokedSchema, { serial, reason }),
    crl: async () => (await call('GET', '/crl', crlSchema)).crls.map(({ pem }) => pem).join(''),
    crls: async () => (await call('GET', '/crl', crlSchema)).crls,
    witness: (head) => call('POST', '/witness', headSchema, head),
    attest: (sha256) => call('POST', '/attest', attestedSchema, { sha256 }),
    witnessed: async () => (await call('GET', '/witness', lastHeadSchema)).head,
    close: () => agent.destroy(),
  };
}

interface Answer {
  status: number;
  text: string;
}

async function send(
  base: URL,
  agent: Agent,
  method: string,
  path: string,
  body: unknown,
  timeoutMs: number,
): Promise<Answer> {
  const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const deadline = AbortSignal.timeout(timeoutMs);
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await sendOnce(base, agent, method, path, payload, deadline);
    if (!('error' in outcome)) return outcome;
    // A kept-alive socket may have been closed under us; every call may be repeated (issue is idempotent).
    if (outcome.reused && attempt === 1 && !deadline.aborted) continue;
    const why = deadline.aborted ? `no answer within ${timeoutMs} ms` : outcome.error.message;
    throw new CaError('ca_unavailable', `the CA cannot be reached: ${why}`, { cause: outcome.error });
  }
}

function sendOnce(
  base: URL,
  agent: Agent,
  method: string,
  path: string,
  payload: Buffer | undefined,
  signal: AbortSignal,
): Promise<Answer | { error: Error; reused: boolean }> {
  return new Promise((resolve) => {
    const headers = payload && { 'content-type': 'application/json', 'content-length': payload.length };
    const outgoing = request(new URL(path, base), { method, agent, signal, headers }, (incoming) => {
      const chunks: Buffer[] = [];
      let size = 0;
      incoming.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxAnswerBytes) incoming.destroy(new Error('the answer is too long'));
        else chunks.push(chunk);
      });
      incoming.on('end', () =>
        resolve({ status: incoming.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
      );
      incoming.on('error', (error) => resolve({ error, reused: false }));
    });
    outgoing.on('error', (error) => resolve({ error, reused: outgoing.reusedSocket }));
    outgoing.end(payload);
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
