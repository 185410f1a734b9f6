/** Browsers that have logged in to a user before: a token of each user and browser, stored as its hash only. */
import { and, desc, eq, gt, inArray, notInArray, sql } from 'drizzle-orm';
import type { Db } from '../db/query.ts';
import { makeSecret, sha256 } from './secrets.ts';
import { knownDevices, users } from './table.ts';

export const deviceLifetimeMs = 180 * 24 * 3600_000;
/** Of a user; the ones used last stay. */
export const maxDevices = 10;

/** The hash of that one of `tokens` by which the browser is known for this e-mail. */
export async function findDevice(db: Db, email: string, tokens: string[]): Promise<string | null> {
  // Asked also without a token, so that the time taken tells nothing.
  const [row] = await db
    .select({ hash: knownDevices.tokenHash })
    .from(knownDevices)
    .innerJoin(users, eq(users.id, knownDevices.userId))
    .where(
      and(
        inArray(knownDevices.tokenHash, ['', ...tokens.slice(0, 8).map(sha256)]),
        eq(sql`lower(${users.email})`, email.toLowerCase()),
        gt(knownDevices.usedAt, new Date(Date.now() - deviceLifetimeMs)),
      ),
    );
  return row?.hash ?? null;
}

/** Makes this browser known from now on, in place of what it was known by; answers the new token. */
export async function rememberDevice(tx: Db, userId: string, replaces: string | null): Promise<string> {
  const token = makeSecret();
  if (replaces) await tx.delete(knownDevices).where(eq(knownDevices.tokenHash, replaces));
  await tx.insert(knownDevices).values({ tokenHash: sha256(token), userId, usedAt: new Date() });
  const kept = tx
    .select({ hash: knownDevices.tokenHash })
    .from(knownDevices)
    .where(eq(knownDevices.userId, userId))
    .orderBy(desc(knownDevices.usedAt))
    .limit(maxDevices);
  await tx
    .delete(knownDevices)
    .where(and(eq(knownDevices.userId, userId), notInArray(knownDevices.tokenHash, kept)));
  return token;
}
