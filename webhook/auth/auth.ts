import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { and, eq, gt, lt } from 'drizzle-orm';
import type { Db } from '../db/connect.ts';
import { AppError } from '../errors.ts';
import type { Caller } from '../http.ts';
import { hashPassword, verifyPassword } from './password.ts';
import { sessions, users } from './table.ts';

export const sessionLifetimeMs = 7 * 24 * 3600_000;

/** Creates the first admin, or gives an existing one this password: what the configuration says is true after each start. */
export async function ensureAdmin(db: Db, email: string, password: string): Promise<void> {
  const [existing] = await db.select().from(users).where(eq(users.email, email));
  if (existing && (await verifyPassword(password, existing.passwordHash))) return;
  const passwordHash = await hashPassword(password);
  await db
    .insert(users)
    .values({ email, passwordHash, role: 'admin' })
    .onConflictDoUpdate({ target: users.email, set: { passwordHash } });
}

/** Answers a new session's token, or refuses with `login_failed` whichever of the two was wrong. */
export async function logIn(
  db: Db,
  email: string,
  password: string,
): Promise<{ token: string; caller: Caller }> {
  const [user] = await db.select().from(users).where(eq(users.email, email));
  // The same work for an unknown address, so that the time taken tells nothing.
  const valid = await verifyPassword(password, user?.passwordHash ?? (await decoyHash));
  if (!user || !valid) throw new AppError('login_failed', 'The e-mail address or the password is wrong.');
  const token = randomBytes(32).toString('base64url');
  const now = Date.now();
  await db.delete(sessions).where(lt(sessions.expiresAt, new Date(now)));
  await db.insert(sessions).values({
    tokenHash: sha256(token),
    userId: user.id,
    expiresAt: new Date(now + sessionLifetimeMs),
  });
  return { token, caller: { name: user.email, role: user.role } };
}

const decoyHash = hashPassword(randomBytes(16).toString('hex'));

export async function logOut(db: Db, token: string): Promise<void> {
  await db.delete(sessions).where(eq(sessions.tokenHash, sha256(token)));
}

export async function findSession(db: Db, token: string): Promise<Caller | null> {
  const [row] = await db
    .select({ name: users.email, role: users.role })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(and(eq(sessions.tokenHash, sha256(token)), gt(sessions.expiresAt, new Date())));
  return row ?? null;
}

/** Compares secrets of any length without telling by its time where they differ. */
export function sameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(Buffer.from(sha256(given)), Buffer.from(sha256(expected)));
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
