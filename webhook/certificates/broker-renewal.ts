/**
 * A broker renews over HTTP, without a token (those are spent after one use): its proof is the key. The CSR must be signed by the key of
 * the certificate that it renews, which must be ours, a broker's, still valid and not revoked; the new one carries the same name and no new
 * alternative names. Whoever repeats somebody's request gets a certificate for a key that he does not have, and the same one each
 * time, so nothing is gained by it.
 */
import { X509Certificate } from 'node:crypto';
import { and, eq, gt, isNull, sql } from 'drizzle-orm';
import type { Context } from '../context.ts';
import { AppError } from '../errors.ts';
import { type IssuedView, issue } from './certificates.ts';
import { certificates } from './table.ts';

/** `serial` (upper-case hex) is of the certificate that is renewed. Throws token_invalid, csr_…, ca_unavailable. */
export async function renewBroker(context: Context, serial: string, csr: string): Promise<IssuedView> {
  const [known] = await context.db
    .select()
    .from(certificates)
    .where(
      and(
        eq(certificates.serial, serial),
        eq(certificates.profile, 'broker'),
        gt(certificates.notAfter, new Date()),
        isNull(certificates.revokedAt),
      ),
    );
  if (!known) throw notValid();
  const { commonName, certificate: sameKeyAs } = known;
  const request = { profile: 'broker' as const, commonName, names: namesOf(sameKeyAs), csr, sameKeyAs };
  const asks = sql`select 1 from ${certificates} where ${eq(certificates.serial, serial)} and ${isNull(certificates.revokedAt)}`;
  const issued = await issue(context, request, asks);
  if (!issued) throw notValid();
  return issued;
}

function notValid(): AppError {
  return new AppError(
    'token_invalid',
    'No valid certificate of a broker has this serial: a new one-time token is needed.',
  );
}

/** Our CA puts only DNS names and addresses there, whose characters Node does not quote. */
function namesOf(certificate: string): string[] {
  const names = new X509Certificate(certificate).subjectAltName ?? '';
  return names.split(', ').map((name) => name.replace(/^(DNS|IP Address):/, ''));
}
