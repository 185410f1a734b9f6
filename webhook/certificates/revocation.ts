/**
 * Revoking one certificate. It takes effect here at once (its holder is kicked and gets no command), whether the CA answers or not; the
 * CA is told until it has confirmed, and its CRL then closes the door at the handshake.
 */
import { and, asc, eq, inArray, isNotNull, isNull, type SQL } from 'drizzle-orm';
import { CaError, type RevocationReason } from '#ca/client.ts';
import { record } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import type { Db } from '../db/query.ts';
import * as presence from '../devices/presence.ts';
import type { Reach } from '../devices/reach.ts';
import { AppError } from '../errors.ts';
import { paced } from '../paced.ts';
import { updateBlocked } from './blocked.ts';
import { kick } from './blocked-kick.ts';
import { publishCrls } from './crl.ts';
import { isWithin } from './inventory.ts';
import { certificates } from './table.ts';

/** The same device is free to come back with another certificate. */
export async function revoke(
  context: Context,
  reach: Reach,
  serial: string,
  reason: RevocationReason,
  actor: string,
): Promise<void> {
  const blocked = await context.db.transaction(async (tx) => {
    const [found] = await tx
      .select()
      .from(certificates)
      .where(and(eq(certificates.serial, serial), isWithin(reach)));
    if (!found) throw new AppError('not_found', 'There is no certificate with this serial.');
    // Against a connect of the same moment: it commits before, and is seen here, or finds the certificate revoked.
    await presence.lock(tx, [found.commonName]);
    const [row] = await markRevoked(tx, eq(certificates.serial, serial), reason, actor);
    if (!row) throw new AppError('already_revoked', 'This certificate has been revoked already.');
    return row.profile === 'device' ? updateBlocked(tx, [row.commonName]) : [];
  });
  await kick(context, blocked);
  if (blocked.length) context.live.changed('device', ...blocked);
  // The background work tells the CA; what is left to the next round is the handshake only.
  context.wake();
}

/** All that its holder has and is not revoked yet, in the caller's transaction; the caller kicks it then, and wakes the background work. */
export async function revokeAll(
  tx: Db,
  which: { device: string; serials?: string[] },
  reason: RevocationReason,
  actor: string,
): Promise<number> {
  const ofDevice = and(
    eq(certificates.commonName, which.device),
    eq(certificates.profile, 'device'),
    which.serials && inArray(certificates.serial, which.serials),
  );
  return (await markRevoked(tx, ofDevice, reason, actor)).length;
}

/** Those that meet the condition and are not revoked yet, in the database and the audit log; the background work tells the CA. */
export async function markRevoked(
  tx: Db,
  which: SQL | undefined,
  reason: RevocationReason,
  actor: string,
): Promise<Pick<typeof certificates.$inferSelect, 'serial' | 'commonName' | 'profile'>[]> {
  const { serial, commonName, profile } = certificates;
  const rows = await tx
    .update(certificates)
    .set({ revokedAt: new Date(), revocationReason: reason, revokedBy: actor })
    .where(and(which, isNull(certificates.revokedAt)))
    .returning({ serial, commonName, profile });
  for (const row of rows) {
    const detail = { reason, commonName: row.commonName, profile: row.profile };
    await record(tx, { actor, action: 'certificate.revoke', subject: row.serial, detail });
  }
  return rows;
}

const batch = 100;
const retryMs = 2_000;

/**
 * Tells the CA what it does not know yet, publishes its CRLs, and only then counts it as done. A step of `background.ts`: it is repeated
 * until all of that has happened.
 */
export const createConfirmRevocations = () =>
  paced({ everyMs: 0, retryMs }, async function confirmRevocations(context: Context) {
    const rows = await context.db
      .select({ serial: certificates.serial, reason: certificates.revocationReason })
      .from(certificates)
      .where(and(isNotNull(certificates.revokedAt), isNull(certificates.revocationConfirmedAt)))
      .orderBy(asc(certificates.revokedAt))
      .limit(batch);
    if (rows.length === 0) return 'done';
    const told: string[] = [];
    await Promise.all(
      rows.map(async ({ serial, reason }) => {
        if (await tell(context, serial, reason ?? 'unspecified')) told.push(serial);
      }),
    );
    if (told.length === 0) return 'failed';
    await publishCrls(context);
    await context.db
      .update(certificates)
      .set({ revocationConfirmedAt: new Date() })
      .where(inArray(certificates.serial, told));
    if (told.length < rows.length) return 'failed';
    return rows.length === batch ? 'more' : 'done';
  });

async function tell(context: Context, serial: string, reason: RevocationReason): Promise<boolean> {
  try {
    await context.authority.revoke(serial, reason);
    return true;
  } catch (error) {
    // Another copy has told it, or we before a crash.
    if (error instanceof CaError && error.code === 'already_revoked') return true;
    context.log('warn', 'revocation not yet with the CA', { serial, error });
    return false;
  }
}
