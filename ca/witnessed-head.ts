import { verify, X509Certificate } from 'node:crypto';

/** The head of an append-only log: its last entry, and the hash (64 hex digits) over all entries up to it. `id` 0: there are none. */
export interface LogHead {
  id: number;
  hash: string;
}

export interface WitnessedHead extends LogHead {
  /** RFC 3339, by the CA's clock. */
  at: string;
  /** Compact JWS (RFC 7515, ES256) by the issuing CA over `{id, hash, at}`. */
  jws: string;
}

/** The header's `typ` (RFC 8725 §3.11): no other thing that this key signs can pass for a head, nor a head for it. */
export const headHeader = { alg: 'ES256', typ: 'flota-audit-head' } as const;

/** A digest (SHA-256, 64 hex digits) that the issuing CA has signed: that it was there at that time, and was not changed since. */
export interface Attested {
  sha256: string;
  /** RFC 3339, by the CA's clock. */
  at: string;
  /** Compact JWS (ES256) by the issuing CA over `{sha256, at}`. */
  jws: string;
}
export const evidenceHeader = { alg: 'ES256', typ: 'flota-evidence' } as const;

/** The head that one of these certificates (PEM, one behind the other) has signed; null when none has. */
export function readWitnessedHead(jws: string, issuing: string): WitnessedHead | null {
  return readSigned<WitnessedHead>(jws, issuing, headHeader);
}

/** The same of evidence. */
export function readAttested(jws: string, issuing: string): Attested | null {
  return readSigned<Attested>(jws, issuing, evidenceHeader);
}

function readSigned<T extends { jws: string }>(jws: string, issuing: string, expected: object): T | null {
  const [header = '', payload = '', signature = ''] = jws.split('.');
  const certificates = issuing.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const signed = certificates.some((pem) =>
    verify(
      'sha256',
      Buffer.from(`${header}.${payload}`),
      { key: new X509Certificate(pem).publicKey, dsaEncoding: 'ieee-p1363' },
      Buffer.from(signature, 'base64url'),
    ),
  );
  if (!signed || header !== encodePart(expected)) return null;
  return { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), jws } as T;
}

export function encodePart(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}
