/** Logging in and out, and the sessions that come of it. */
import { and, eq, gt, isNull, lt, sql } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import type { Db } from '../db/query.ts';
import { AppError } from '../errors.ts';
import type { Caller } from '../http.ts';
import { type Attempt, countAttempt, forgiveAttempt, networkOf, takeBackAttempt } from './attempts.ts';
import { findDevice, rememberDevice } from './known-devices.ts';
import type { Passwords } from './password.ts';
import { noTotp, use, wrongCode } from './second-factor.ts';
import { makeSecret, sha256 } from './secrets.ts';
import { apiTokens, failedLogins, knownDevices, sessions, users } from './table.ts';

export { sameSecret, sha256 } from './secrets.ts';

export const sessionLifetimeMs = 7 * 24 * 3600_000;

/** Creates the first admin, or gives an existing one this password: what the configuration says is true after each start. */
export async function ensureAdmin(
  db: Db,
  passwords: Passwords,
  { email, password }: { email: string; password: string },
): Promise<void> {
  const existing = await findByEmail(db, email);
  const matches = existing !== null && (await passwords.verify(password, existing.passwordHash));
  if (matches && existing.role === 'admin' && !existing.reach && !existing.disabledAt) return;
  const passwordHash = matches ? existing.passwordHash : await passwords.hash(password);
  if (!existing) {
    const values = { email: email.toLowerCase(), passwordHash, role: 'admin' as const };
    // Another copy may be starting too.
    await db.insert(users).values(values).onConflictDoNothing();
    return;
  }
  await db.transaction(async (tx) => {
    await tx
      .update(users)
      .set({
        passwordHash,
        role: 'admin',
        reach: null,
        disabledAt: null,
        oidcIssuer: null,
        oidcSubject: null,
        // The way back in for a last admin without an authenticator.
        ...(!matches && noTotp),
      })
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

/**
 * Answers a new session's token, or refuses with `login_failed` whichever was wrong, with `totp_required` or `totp_wrong` once the password
 * is right, or with `too_many_attempts`.
 */
export async function logIn(
  db: Db,
  passwords: Passwords,
  attempt: Credentials,
): Promise<{ token: string; device: string; caller: Caller; failed: FailedLogins }> {
  const { user, device: known } = await checkPassword(db, passwords, attempt, true);
  const made = await db.transaction(async (tx) => {
    const token = await startSession(tx, user);
    const device = await rememberDevice(tx, user.id, known);
    const rows = await tx.delete(failedLogins).where(eq(failedLogins.userId, user.id)).returning();
    const networks = rows.sort((a, b) => b.count - a.count).map((r) => r.network);
    const failed = { count: rows.reduce((sum, r) => sum + r.count, 0), networks: networks.slice(0, 10) };
    const detail = failed.count > 0 ? { detail: { failedBefore: failed } } : {};
    await record(tx, { actor: user.email, action: 'session.start', subject: user.id, ...detail });
    return { token, device, failed };
  });
  const { email: name, role, id: userId, reach } = user;
  return { ...made, caller: { name, role, userId, reach, hasTotp: user.totpSecret !== null } };
}

/** Wrong passwords since the login before, and the networks of most of them, the busiest first. */
export interface FailedLogins {
  count: number;
  networks: string[];
}

export interface Credentials {
  email: string;
  password: string;
  /** Of the authenticator, or a recovery code. */
  code?: string | undefined;
  address: string;
  /** What the browser has of earlier logins. */
  deviceTokens: string[];
}

/** The user whose e-mail and password these are, and whose code where `both` are asked for. A wrong code counts like a wrong password. */
export async function checkPassword(
  db: Db,
  passwords: Passwords,
  { deviceTokens, password, code, ...from }: Credentials,
  both = false,
): Promise<{ user: User; device: string | null }> {
  const attempt: Attempt = { ...from, device: await findDevice(db, from.email, deviceTokens) };
  const counted = await countAttempt(db, attempt);
  const user = await findByEmail(db, attempt.email);
  const valid = await passwords.verify(password, user?.passwordHash ?? null);
  if (!user || !valid || user.disabledAt) {
    await noteFailure(db, attempt);
    throw wrong();
  }
  if (both && user.totpSecret !== null) {
    if (code === undefined) {
      await takeBackAttempt(db, counted);
      throw new AppError('totp_required', 'The code of the authenticator is needed, too.');
    }
    if (!(await use(db, user, code))) {
      await noteFailure(db, attempt);
      throw wrongCode();
    }
  }
  await forgiveAttempt(db, counted);
  return { user, device: attempt.device };
}

/** One statement whether there is such a user or not. */
async function noteFailure(db: Db, { email, address }: Attempt): Promise<void> {
  await db.execute(sql`
    insert into ${failedLogins} (user_id, network, count)
    select id, ${networkOf(address)}, 1 from ${users} where lower(email) = ${email.toLowerCase()} and password_hash is not null
    on conflict (user_id, network) do update set count = ${failedLogins.count} + 1`);
}

function wrong(): AppError {
  return new AppError('login_failed', 'The e-mail address or the password is wrong.');
}

/** Refuses when the user was disabled, or got another password, since the given state was read. */
export async function startSession(tx: Db, user: User, oidcSid: string | null = null): Promise<string> {
  // The lock makes this wait for such a change that is under way.
  const { passwordHash: hash } = user;
  const samePassword = hash === null ? isNull(users.passwordHash) : eq(users.passwordHash, hash);
  const [current] = await tx
    .select({ id: users.id })
    .from(users)
    .where(and(eq(users.id, user.id), samePassword, isNull(users.disabledAt)))
    .for('share');
  if (!current) throw wrong();
  const token = makeSecret();
  const now = Date.now();
  await tx.delete(sessions).where(lt(sessions.expiresAt, new Date(now)));
  await tx.insert(sessions).values({
    tokenHash: sha256(token),
    userId: user.id,
    expiresAt: new Date(now + sessionLifetimeMs),
    oidcSid,
  });
  return token;
}

/** And no browser is known any more, and no token of the user's own holds: whoever had the old password may have one. Returns how many ended. */
export async function endSessions(db: Db, userId: string): Promise<number> {
  const tokens = await db
    .update(apiTokens)
    .set({ revokedAt: new Date() })
    .where(and(eq(apiTokens.userId, userId), isNull(apiTokens.revokedAt)))
    .returning({ id: apiTokens.id });
  await db.delete(knownDevices).where(eq(knownDevices.userId, userId));
  const ended = await db
    .delete(sessions)
    .where(eq(sessions.userId, userId))
    .returning({ id: sessions.userId });
  return tokens.length + ended.length;
}

export async function logOut(db: Db, token: string): Promise<void> {
  await db.delete(sessions).where(eq(sessions.tokenHash, sha256(token)));
}

export async function findSession(db: Db, token: string): Promise<Caller | null> {
  const [row] = await db
    .select({
      name: users.email,
      role: users.role,
      userId: users.id,
      reach: users.reach,
      issuer: users.oidcIssuer,
      hasTotp: sql<boolean>`${users.totpSecret} is not null`,
    })
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
