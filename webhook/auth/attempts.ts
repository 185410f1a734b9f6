/**
 * Failed logins are counted per address and per e-mail. In PostgreSQL and not in memory: with several copies behind a balancer a
 * guesser would have as many tries as there are copies, and a restart would give new ones; beside scrypt the statement costs nothing.
 */
import { isIPv6 } from 'node:net';
import { eq, lt, sql } from 'drizzle-orm';
import type { Db } from '../db/query.ts';
import { AppError } from '../errors.ts';
import { sha256 } from './secrets.ts';
import { loginAttempts } from './table.ts';

export const windowMs = 15 * 60_000;
export const perEmail = 10;
/** More, for an office may sit behind one address. */
export const perAddress = 30;

export interface Attempt {
  email: string;
  address: string;
}

/** Counts an attempt before the password is looked at, so that tries at the same time count too. Throws `too_many_attempts`. */
export async function countAttempt(db: Db, attempt: Attempt): Promise<void> {
  const now = Date.now();
  await db.delete(loginAttempts).where(lt(loginAttempts.resetAt, new Date(now)));
  const resetAt = new Date(now + windowMs);
  const rows = await db
    .insert(loginAttempts)
    // Always in this order, so that two logins never wait for each other crosswise.
    .values([
      { key: addressKey(attempt), count: 1, resetAt },
      { key: emailKey(attempt), count: 1, resetAt },
    ])
    .onConflictDoUpdate({ target: loginAttempts.key, set: { count: sql`${loginAttempts.count} + 1` } })
    .returning();
  const over = rows.filter((r) => r.count > (r.key === emailKey(attempt) ? perEmail : perAddress));
  if (over.length === 0) return;
  const waitMs = Math.max(...over.map((r) => r.resetAt.getTime())) - now;
  throw new AppError('too_many_attempts', 'Too many failed logins: wait before the next one.', {
    retryAfterS: Math.max(1, Math.ceil(waitMs / 1000)),
  });
}

/** A login that succeeded was no guess. */
export async function forgiveAttempt(db: Db, attempt: Attempt): Promise<void> {
  await db.delete(loginAttempts).where(eq(loginAttempts.key, emailKey(attempt)));
  await db
    .update(loginAttempts)
    .set({ count: sql`greatest(${loginAttempts.count} - 1, 0)` })
    .where(eq(loginAttempts.key, addressKey(attempt)));
}

/** Hashed, because people type their password into the wrong field. */
function emailKey({ email }: Attempt): string {
  return `email ${sha256(email.toLowerCase())}`;
}

/** Of IPv6 the /64, which is what one subscriber has. */
function addressKey({ address }: Attempt): string {
  if (!isIPv6(address) || address.startsWith('::ffff:')) return `address ${address.replace(/^::ffff:/, '')}`;
  const [head = '', tail = ''] = address.split('::');
  const left = head.split(':').filter(Boolean);
  const right = tail.split(':').filter(Boolean);
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0');
  return `address ${[...left, ...zeros, ...right].slice(0, 4).join(':')}::/64`;
}
