/** Users: created and changed by admins; a disabled one or a changed password ends all of that user's sessions at once. */
import { and, asc, eq, isNotNull, isNull } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import { type Db, sqlState, uniqueViolation } from '../db/query.ts';
import { anything } from '../db/revision.ts';
import { ensurePlaces, type Limits } from '../devices/reach.ts';
import { AppError } from '../errors.ts';
import type { Role } from '../http.ts';
import { endSessions, startSession, type User } from './auth.ts';
import { rememberDevice } from './known-devices.ts';
import type { Passwords } from './password.ts';
import { users } from './table.ts';

export async function list(db: Db): Promise<User[]> {
  return db.select().from(users).orderBy(asc(users.email));
}

export async function create(
  db: Db,
  passwords: Passwords,
  input: { email: string; password: string; role: Role; reach: Limits | null },
  actor: string,
): Promise<User> {
  const passwordHash = await passwords.hash(input.password);
  const email = input.email.toLowerCase();
  try {
    return await db.transaction(async (tx) => {
      const { role, reach } = input;
      await ensurePlaces(tx, reach);
      const [row] = await tx.insert(users).values({ email, role, reach, passwordHash }).returning();
      await record(tx, {
        actor,
        action: 'user.create',
        subject: row!.id,
        detail: { email, role, reach },
      });
      return row!;
    });
  } catch (error) {
    if (sqlState(error) === uniqueViolation) {
      throw new AppError('user_exists', `${email} is a user already.`, { cause: error });
    }
    throw error;
  }
}

export interface UserChange {
  role?: Role | undefined;
  /** Null: the whole fleet. */
  reach?: Limits | null | undefined;
  disabled?: boolean | undefined;
  password?: string | undefined;
}

/**
 * Throws `last_admin` when no local admin of the whole fleet would be left to undo it (an issuer may be away), and `oidc_user` for what an issuer says
 * anew at each login.
 */
export async function change(
  db: Db,
  passwords: Passwords,
  id: string,
  input: UserChange,
  actor: string,
  expected = anything,
): Promise<User> {
  const passwordHash = input.password === undefined ? undefined : await passwords.hash(input.password);
  return db.transaction(async (tx) => {
    await ensurePlaces(tx, input.reach);
    const isAdmin = and(
      eq(users.role, 'admin'),
      isNull(users.reach),
      isNull(users.disabledAt),
      isNotNull(users.passwordHash),
    );
    // Locked in order, so that two admins who disable each other at once cannot both succeed.
    const before = await tx
      .select({ id: users.id })
      .from(users)
      .where(isAdmin)
      .orderBy(asc(users.id))
      .for('update');
    await expected.ensure(tx, users, id);
    const [row] = await tx
      .update(users)
      .set({
        ...(input.role && { role: input.role }),
        ...(input.reach !== undefined && { reach: input.reach }),
        ...(input.disabled !== undefined && { disabledAt: input.disabled ? new Date() : null }),
        ...(passwordHash && { passwordHash }),
      })
      .where(eq(users.id, id))
      .returning();
    if (!row) throw new AppError('not_found', 'There is no such user.');
    if (row.oidcIssuer !== null && (input.role || input.reach !== undefined || passwordHash))
      throw new AppError(
        'oidc_user',
        'Role, reach and password of this user are those of the single sign-on.',
      );
    const admins = await tx.select({ id: users.id }).from(users).where(isAdmin).limit(1);
    if (before.length > 0 && admins.length === 0) throw new AppError('last_admin', 'One admin must remain.');
    if (input.disabled || passwordHash) await endSessions(tx, id);
    const { password, ...told } = input;
    const detail = { ...told, ...(password !== undefined && { password: 'changed' }) };
    await record(tx, { actor, action: 'user.change', subject: id, detail });
    return row;
  });
}

/** Changes the password of `user`, as just checked; the new session and the browser that it is from are the only ones left. */
export async function changeOwnPassword(
  db: Db,
  passwords: Passwords,
  user: User,
  password: string,
): Promise<{ token: string; device: string }> {
  const passwordHash = await passwords.hash(password);
  return db.transaction(async (tx) => {
    const [row] = await tx
      .update(users)
      .set({ passwordHash })
      .where(and(eq(users.id, user.id), eq(users.passwordHash, user.passwordHash!), isNull(users.disabledAt)))
      .returning();
    if (!row) throw new AppError('login_failed', 'The password was changed meanwhile.');
    await endSessions(tx, user.id);
    const token = await startSession(tx, row);
    const device = await rememberDevice(tx, row.id, null);
    await record(tx, { actor: user.email, action: 'user.password', subject: user.id });
    return { token, device };
  });
}
