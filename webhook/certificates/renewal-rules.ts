/** When a device may renew. Pure. */
const dayMs = 86_400_000;
const earliestMs = 30 * dayMs;

export interface InUse {
  notBefore: Date;
  notAfter: Date;
}

/**
 * From when on the certificate that a device connects with may be renewed: 30 days before its end, or the last third of a shorter life.
 * It goes by that one, not by the newest that was issued: a device that lost the key of one it never used may ask again.
 */
export function renewableFrom({ notBefore, notAfter }: InUse): Date {
  const lifetimeMs = notAfter.getTime() - notBefore.getTime();
  return new Date(notAfter.getTime() - Math.min(earliestMs, lifetimeMs / 3));
}

/** The same CSR again gets the same certificate in the first half of its life, as the CA itself does it. */
export function isStillTheAnswer(certificate: InUse & { issuedAt: Date }, now: number): boolean {
  return now < (certificate.issuedAt.getTime() + certificate.notAfter.getTime()) / 2;
}
