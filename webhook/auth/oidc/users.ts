/** Users of an issuer, by issuer and subject; and the ends of their sessions, when it says so. */
import { and, eq, exists, isNull, lt, or } from 'drizzle-orm';
import { record } from '../../audit/audit.ts';
import { type Db, sqlState, uniqueViolation } from '../../db/query.ts';
import { findLimits, isNothing, reachOf } from '../../devices/reach.ts';
import { AppError } from '../../errors.ts';
import { endSessions, startSession, type User } from '../auth.ts';
import { sha256 } from '../secrets.ts';
import { sessions, users } from '../table.ts';
import { renameMaker } from '../tokens.ts';
import type { Identity } from './claims.ts';
import { oidcUsed } from './table.ts';

/** Returns the session's token. `key` names what was presented, which counts once. */
export async function logInBy(db: Db, identity: Identity, key: string, until: Date): Promise<string> {
  return db.transaction(async (tx) => {
    if (!(await use(tx, `state ${key}`, until)))
      throw new AppError('oidc_stale', 'This login was used already.');
    const user = await findOrMake(tx, identity);
    if (user.disabledAt) throw new AppError('oidc_disabled', `${user.email} is disabled.`);
    const token = await startSession(tx, user, identity.sid);
    const { issuer } = identity;
    await record(tx, { actor: user.email, action: 'session.start', subject: user.id, detail: { issuer } });
    return token;
  });
}

/** What the issuer says now is true from now on. An address that is somebody else's here stays theirs: `oidc_email_taken`. */
async function findOrMake(tx: Db, { issuer, subject, email, role, named }: Identity): Promise<User> {
  const reach = named && (await findLimits(tx, named));
  if (reach && isNothing(reach))
    throw new AppError(
      'oidc_no_role',
      'The regions and divisions that its groups have a role for are not there.',
    );
  const person = { oidcIssuer: issuer, oidcSubject: subject };
  try {
    const [made] = await tx
      .insert(users)
      .values({ ...person, email, role, reach })
      .onConflictDoNothing({ target: [users.oidcIssuer, users.oidcSubject] })
      .returning();
    if (made) {
      await record(tx, {
        actor: email,
        action: 'user.create',
        subject: made.id,
        detail: { email, role, reach, issuer },
      });
      return made;
    }
    const who = and(eq(users.oidcIssuer, issuer), eq(users.oidcSubject, subject));
    const [known] = await tx.select().from(users).where(who).for('update');
    const isSame =
      known!.email === email && known!.role === role && reachOf(known!.reach).key === reachOf(reach).key;
    if (known!.disabledAt || isSame) return known!;
    const [changed] = await tx.update(users).set({ email, role, reach }).where(who).returning();
    if (known!.email !== email) await renameMaker(tx, known!.email, email);
    await record(tx, {
      actor: email,
      action: 'user.change',
      subject: changed!.id,
      detail: { email, role, reach, issuer },
    });
    return changed!;
  } catch (error) {
    if (sqlState(error) !== uniqueViolation) throw error;
    throw new AppError('oidc_email_taken', `${email} is another user here.`, { cause: error });
  }
}

/** The issuer gives no role any more: what began when it gave one ends, the user's own tokens, too. */
export async function endSessionsOf(
  db: Db,
  { issuer, subject }: Pick<Identity, 'issuer' | 'subject'>,
): Promise<void> {
  await db.transaction(async (tx) => {
    const whose = and(eq(users.oidcIssuer, issuer), eq(users.oidcSubject, subject));
    const [user] = await tx.select({ id: users.id }).from(users).where(whose);
    if (user && (await endSessions(tx, user.id)) > 0)
      await record(tx, { actor: issuer, action: 'session.end', subject: user.id, detail: { issuer } });
  });
}

export interface LoggedOut {
  issuer: string;
  subject: string | undefined;
  sid: string | undefined;
  jti: string;
}

/** Returns how many sessions ended; refuses a logout token that came before. */
export async function endSessionsBy(
  db: Db,
  { issuer, subject, sid, jti }: LoggedOut,
  until: Date,
): Promise<number> {
  return db.transaction(async (tx) => {
    if (!(await use(tx, `jti ${issuer} ${jti}`, until)))
      throw new AppError('logout_token_invalid', 'The logout token came before.');
    const whose = and(
      eq(users.id, sessions.userId),
      eq(users.oidcIssuer, issuer),
      subject === undefined ? undefined : eq(users.oidcSubject, subject),
    );
    const ended = await tx
      .delete(sessions)
      .where(
        and(
          exists(tx.select({ id: users.id }).from(users).where(whose)),
          // A session of which the issuer gave no sid can only go with its user.
          sid === undefined
            ? undefined
            : or(eq(sessions.oidcSid, sid), subject ? isNull(sessions.oidcSid) : undefined),
        ),
      )
      .returning({ userId: sessions.userId });
    for (const id of new Set(ended.map((session) => session.userId)))
      await record(tx, { actor: issuer, action: 'session.end', subject: id, detail: { issuer } });
    return ended.length;
  });
}

/** False when it was used before. */
async function use(tx: Db, key: string, until: Date): Promise<boolean> {
  await tx.delete(oidcUsed).where(lt(oidcUsed.forgetAt, new Date()));
  const row = { key: sha256(key), forgetAt: until };
  return (await tx.insert(oidcUsed).values(row).onConflictDoNothing().returning()).length === 1;
}
