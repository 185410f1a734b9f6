/** Logging in and out, and the sessions that come of it. */
import { randomBytes } from 'node:crypto';
import { and, eq, gt, isNull, lt, sql } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import type { Db } from '../db/query.ts';
import { AppError } from '../errors.ts';
import type { Caller } from '../http.ts';
import { type Attempt, countAttempt, forgiveAttempt } from './attempts.ts';
import { hashPassword, verifyPassword } from './password.ts';
import { makeSecret, sha256 } from './secrets.ts';
import { sessions, users } from './table.ts';

export { sameSecret, sha256 } from './secrets.ts';

export const sessionLifetimeMs = 7 * 24 * 3600_000;

/** Creates the first admin, or gives an existing one this password: what the configuration says is true after each start. */
export async function ensureAdmin(db: Db, email: string, password: string): Promise<void> {
  const existing = await findByEmail(db, email);
  const matches = existing !== null && (await verifyPassword(password, existing.passwordHash));
  if (matches && existing.role === 'admin' && !existing.disabledAt) return;
  const passwordHash = matches ? existing.passwordHash : await hashPassword(password);
  if (!existing) {
    const values = { email: email.toLowerCase(), passwordHash, role: 'admin' as const };
    // Another copy may be starting too.
    await db.insert(users).values(values).onConflictDoNothing();
    return;
  }
  await db.transaction(async (tx) => {
    await tx
      .update(users)
      .set({ passwordHash, role: 'admin', disabledAt: null })
      .where(eq(users.id, existing.id));
    if (!matches) await endSessions(tx, existing.id);
  });
}

export type User = typeof users.$inferSelect;

async function findByEmail(db: Db, email: string): Promise<User | null> {
  const [user] = await db
    .select()
    .from(users)
    .where(eq(sql`lower(${users.email})`, email.toLowerCase()));
  return user ?? null;
}

/** Answers a new session's token, or refuses with `login_failed` whichever was wrong, or with `too_many_attempts`. */
export async function logIn(
  db: Db,
  attempt: Attempt & { password: string },
): Promise<{ token: string; caller: Caller }> {
  const user = await checkPassword(db, attempt);
  const token = await db.transaction(async (tx) => {
    const made = await startSession(tx, user);
    await record(tx, { actor: user.email, action: 'session.start', subject: user.id });
    return made;
  });
  return { token, caller: { name: user.email, role: user.role, userId: user.id } };
}

/** The user whose e-mail and password these are. */
export async function checkPassword(db: Db, attempt: Attempt & { password: string }): Promise<User> {
  await countAttempt(db, attempt);
  const user = await findByEmail(db, attempt.email);
  // The same work for an unknown address, so that the time taken tells nothing.
  const valid = await verifyPassword(attempt.password, user?.passwordHash ?? (await decoyHash));
  if (!user || !valid || user.disabledAt) throw wrong();
  await forgiveAttempt(db, attempt);
  return user;
}

function wrong(): AppError {
  return new AppError('login_failed', 'The e-mail address or the password is wrong.');
}

const decoyHash = hashPassword(randomBytes(16).toString('hex'));

/** Refuses when the user was disabled, or got another password, since the given state was read. */
export async function startSession(tx: Db, user: User): Promise<string> {
  // The lock makes this wait for such a change that is under way.
  const [current] = await tx
    .select({ id: users.id })
    .from(users)
    .where(and(eq(users.id, user.id), eq(users.passwordHash, user.passwordHash), isNull(users.disabledAt)))
    .for('share');
  if (!current) throw wrong();
  const token = makeSecret();
  const now = Date.now();
  await tx.delete(sessions).where(lt(sessions.expiresAt, new Date(now)));
  await tx.insert(sessions).values({
    tokenHash: sha256(token),
    userId: user.id,
    expiresAt: new Date(now + sessionLifetimeMs),
  });
  return token;
}

export async function endSessions(db: Db, userId: string): Promise<void> {
  await db.delete(sessions).where(eq(sessions.userId, userId));
}

export async function logOut(db: Db, token: string): Promise<void> {
  await db.delete(sessions).where(eq(sessions.tokenHash, sha256(token)));
}

export async function findSession(db: Db, token: string): Promise<Caller | null> {
  const [row] = await db
    .select({ name: users.email, role: users.role, userId: users.id })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(
      and(
        eq(sessions.tokenHash, sha256(token)),
        gt(sessions.expiresAt, new Date()),
        isNull(users.disabledAt),
      ),
    );
  return row ?? null;
}
