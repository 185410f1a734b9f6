/**
 * How a receiver knows that a delivery is ours and fresh: `Flota-Signature: t=1753900000,v1=HEX[,v1=HEX]`, HMAC-SHA256 over
 * `t.body` with each secret that is valid. `v1` is the scheme: a receiver ignores those that it does not know.
 */
import { createHmac } from 'node:crypto';
import { makeSecret } from '../auth/secrets.ts';

export interface Secret {
  secret: string;
  /** ms since 1970; null: until it is rotated out. */
  validUntil: number | null;
}

export const signatureHeader = 'Flota-Signature';
/** Lets scanners of repositories and logs recognise a secret that has leaked. */
const prefix = 'flota_whsec_';
/** Receivers have so long to take the new one. */
const overlapMs = 24 * 3_600_000;

export function createSecret(): Secret {
  return { secret: `${prefix}${makeSecret()}`, validUntil: null };
}

/** The new one and the one before it; one that was before that is gone. */
export function rotate([present]: Secret[], now: number): Secret[] {
  const made = createSecret();
  return present ? [made, { ...present, validUntil: now + overlapMs }] : [made];
}

export function valid(secrets: Secret[], now: number): Secret[] {
  return secrets.filter(({ validUntil }) => validUntil === null || validUntil > now);
}

export function sign(secrets: Secret[], body: string, now: number): string {
  const t = Math.floor(now / 1000);
  return [`t=${t}`, ...valid(secrets, now).map(({ secret }) => `v1=${hmac(secret, t, body)}`)].join(',');
}

function hmac(secret: string, t: number, body: string): string {
  return createHmac('sha256', secret).update(`${t}.${body}`).digest('hex');
}
