/** Certificates that our CA issued without us (`npm run ca -- provision`) are made known, so that they are listed, followed and revocable. */
import { X509Certificate } from 'node:crypto';
import { CaError } from '#ca/client.ts';
import { record } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import { AppError } from '../errors.ts';
import { certificates } from './table.ts';

/**
 * @param pem a device's certificate; what stands behind it is not looked at
 * @returns its serial; also when it is known already. Throws certificate_refused, ca_unavailable.
 */
export async function register(context: Context, pem: string, actor: string): Promise<{ serial: string }> {
  const leaf = read(pem);
  const { issuing } = await context.authority.trust().catch((cause: unknown) => {
    if (!(cause instanceof CaError)) throw cause;
    throw new AppError('ca_unavailable', 'The certificate authority does not answer.', { cause });
  });
  const chain = splitPem(issuing).find((text) => isIssuedBy(leaf, new X509Certificate(text)));
  if (!chain) throw refused('it was not issued by our CA');
  // Only devices have their serial in the subject, as `CN=…` and `serialNumber=…`, a line each.
  const [, commonName, serial] =
    /^CN=([A-Za-z0-9_-]{1,64})\nserialNumber=([0-9A-F]+)$/.exec(leaf.subject) ?? [];
  if (!commonName || serial !== leaf.serialNumber) throw refused("it is not a device's");
  const notBefore = new Date(leaf.validFrom);
  await context.db.transaction(async (tx) => {
    const added = await tx
      .insert(certificates)
      .values({
        ...{ serial, profile: 'device', commonName, chain, notBefore },
        certificate: leaf.toString(),
        notAfter: new Date(leaf.validTo),
        // One that was issued here since is younger.
        issuedAt: notBefore,
      })
      .onConflictDoNothing()
      .returning({ serial: certificates.serial });
    if (added.length > 0)
      await record(tx, { actor, action: 'certificate.register', subject: serial, detail: { commonName } });
  });
  return { serial };
}

function read(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new AppError('certificate_refused', 'This is not a certificate.', { cause });
  }
}

export function isIssuedBy(leaf: X509Certificate, issuer: X509Certificate): boolean {
  return leaf.checkIssued(issuer) && leaf.verify(issuer.publicKey);
}

export function splitPem(text: string): string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g) ?? [];
}

function refused(why: string): AppError {
  return new AppError('certificate_refused', `The certificate cannot be registered: ${why}.`);
}
