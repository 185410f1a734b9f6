/** A second factor of a local account: an authenticator's code at each login, or one of ten recovery codes, each of which holds once. */
import { randomBytes } from 'node:crypto';
import { and, eq, isNotNull, isNull, lt, or, sql } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import type { Db } from '../db/query.ts';
import { AppError } from '../errors.ts';
import type { User } from './auth.ts';
import { sha256 } from './secrets.ts';
import { users } from './table.ts';
import { findStep, makeTotpSecret, toBase32, uriOf } from './totp.ts';

const recoveryCodes = 10;

/** A secret for an authenticator; it counts from `confirm` on, and the one before it no more. Throws `totp_on`. */
export async function begin(db: Db, user: User): Promise<{ secret: string; uri: string }> {
  const secret = makeTotpSecret();
  const [row] = await db
    .update(users)
    .set({ totpPending: secret })
    .where(and(eq(users.id, user.id), isNull(users.totpSecret)))
    .returning({ id: users.id });
  if (!row) throw new AppError('totp_on', 'There is an authenticator already: turn it off first.');
  return { secret, uri: uriOf(secret, user.email) };
}

/** The authenticator is set up: here is its code. The recovery codes are told this once. Throws `totp_on`, `totp_off`, `totp_wrong`. */
export async function confirm(db: Db, userId: string, code: string, nowMs = Date.now()): Promise<string[]> {
  const codes = Array.from({ length: recoveryCodes }, makeRecoveryCode);
  return db.transaction(async (tx) => {
    const [user] = await tx.select().from(users).where(eq(users.id, userId)).for('update');
    if (!user?.totpPending || user.totpSecret !== null)
      throw user?.totpSecret
        ? new AppError('totp_on', 'There is an authenticator already.')
        : new AppError('totp_off', 'Ask for a secret first.');
    const step = findStep(user.totpPending, code, nowMs);
    if (step === null) throw wrongCode();
    await tx
      .update(users)
      .set({
        ...{ totpSecret: user.totpPending, totpPending: null, totpStep: step },
        recoveryHashes: codes.map(hashOf),
      })
      .where(eq(users.id, userId));
    await record(tx, { actor: user.email, action: 'user.totp_on', subject: userId });
    return codes;
  });
}

/** Whether it is that of the user, who has one; it holds no second time. A recovery code is told to the audit log. */
export async function use(db: Db, user: User, code: string, nowMs = Date.now()): Promise<boolean> {
  const given = code.replace(/[\s-]/g, '').toUpperCase();
  const same = and(eq(users.id, user.id), eq(users.totpSecret, user.totpSecret!));
  if (/^\d{6}$/.test(given)) {
    const step = findStep(user.totpSecret!, given, nowMs);
    if (step === null) return false;
    // RFC 6238, 5.2: a code that was accepted is not accepted again; nor is one before it.
    const rows = await db
      .update(users)
      .set({ totpStep: step })
      .where(and(same, or(isNull(users.totpStep), lt(users.totpStep, step))))
      .returning({ id: users.id });
    return rows.length > 0;
  }
  const hash = hashOf(given);
  return db.transaction(async (tx) => {
    const rows = await tx
      .update(users)
      .set({ recoveryHashes: sql`${users.recoveryHashes} - ${hash}::text` })
      .where(and(same, sql`${users.recoveryHashes} @> ${JSON.stringify([hash])}::jsonb`))
      .returning({ left: users.recoveryHashes });
    if (rows.length === 0) return false;
    const detail = { left: rows[0]!.left.length };
    await record(tx, { actor: user.email, action: 'user.recovery_code', subject: user.id, detail });
    return true;
  });
}

/** By whom it is (`totp_off`), or by an admin for who has lost it (`totp_reset`). Throws `not_found`, `totp_off`. */
export async function remove(
  db: Db,
  userId: string,
  actor: string,
  act: 'totp_off' | 'totp_reset',
): Promise<void> {
  await db.transaction(async (tx) => {
    const [known] = await tx.select({ id: users.id }).from(users).where(eq(users.id, userId));
    if (!known) throw new AppError('not_found', 'There is no such user.');
    const [row] = await tx
      .update(users)
      .set(noTotp)
      .where(and(eq(users.id, userId), isNotNull(users.totpSecret)))
      .returning({ id: users.id });
    if (!row) throw new AppError('totp_off', 'This account has no authenticator.');
    await record(tx, { actor, action: `user.${act}`, subject: userId });
  });
}

export const noTotp = { totpSecret: null, totpPending: null, totpStep: null, recoveryHashes: [] as string[] };

export const wrongCode = () =>
  new AppError('totp_wrong', 'This code is wrong, used already, or no longer good.');

/** 80 bits, in groups that can be read out. */
function makeRecoveryCode(): string {
  return toBase32(randomBytes(10)).replace(/(.{4})(?=.)/g, '$1-');
}

function hashOf(code: string): string {
  return sha256(code.replaceAll('-', ''));
}
