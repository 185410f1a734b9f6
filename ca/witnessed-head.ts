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

/** The head that one of these certificates (PEM, one behind the other) has signed; null when none has. */
export function readWitnessedHead(jws: string, issuing: string): WitnessedHead | null {
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
  if (!signed || header !== encodePart(headHeader)) return null;
  return { ...(JSON.parse(Buffer.from(payload, 'base64url').toString()) as Omit<WitnessedHead, 'jws'>), jws };
}

export function encodePart(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}
