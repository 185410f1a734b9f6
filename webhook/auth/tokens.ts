/**
 * API tokens: bearer tokens, shown once. Those that an admin makes have a role of their own, and outlive who made them, until revoked or expired;
 * a user's own (`own-tokens.ts`) are held to that user.
 */
import { and, desc, eq, gt, isNull, lt, or, sql } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import { orNameTaken } from '../db/name-taken.ts';
import type { Db } from '../db/query.ts';
import { anything } from '../db/revision.ts';
import { ensurePlaces, type Limits } from '../devices/reach.ts';
import { AppError } from '../errors.ts';
import type { Caller, Role } from '../http.ts';
import { heldTo } from './held-to.ts';
import type { Scope } from './scopes.ts';
import { makeSecret, sha256 } from './secrets.ts';
import { apiTokens, users } from './table.ts';

export type ApiToken = Omit<typeof apiTokens.$inferSelect, 'tokenHash'>;

/** Lets scanners of repositories and logs recognise a token that has leaked. */
const prefix = 'flota_';
const callerPrefix = 'token ';
const ofUser = ' of ';
const usedEveryMs = 60_000;
const dayMs = 86_400_000;
const defaultDays = 90;

export interface NewToken {
  name: string;
  role: Role;
  reach: Limits | null;
  /** Null: whatever its role may do. */
  scopes: Scope[] | null;
  /** Null: it never ends. */
  expiresAt?: Date | null;
}

/** Of this user, or all. */
export async function list(db: Db, userId?: string): Promise<ApiToken[]> {
  const rows = await db
    .select()
    .from(apiTokens)
    .where(userId === undefined ? undefined : eq(apiTokens.userId, userId))
    .orderBy(desc(apiTokens.createdAt), apiTokens.id);
  return rows.map(withoutHash);
}

export async function create(
  db: Db,
  asked: NewToken,
  actor: string,
  maxDays?: number,
  userId: string | null = null,
): Promise<{ secret: string; token: ApiToken }> {
  const input = { ...asked, expiresAt: expiryOf(asked, maxDays) };
  const secret = `${prefix}${makeSecret()}`;
  const token = await orNameTaken(`A token named ${input.name}`, () =>
    db.transaction(async (tx) => {
      await ensurePlaces(tx, input.reach);
      const values = { ...input, tokenHash: sha256(secret), userId, createdBy: actor };
      const [row] = await tx.insert(apiTokens).values(values).returning();
      const { name, role, reach, scopes, expiresAt } = input;
      const detail = {
        name,
        role,
        reach,
        scopes,
        expiresAt: expiresAt?.toISOString() ?? null,
        personal: userId !== null,
      };
      await record(tx, { actor, action: 'token.create', subject: row!.id, detail });
      return row!;
    }),
  );
  return { secret, token: withoutHash(token) };
}

/**
 * As first published, a token for everything never ends unless somebody says when; one with scopes has 90 days. `maxDays`: of any token, by
 * whoever runs the server.
 */
function expiryOf({ expiresAt, scopes }: NewToken, maxDays: number | undefined): Date | null {
  const inDays = (days: number) => new Date(Date.now() + days * dayMs);
  if (expiresAt === undefined)
    return scopes || maxDays ? inDays(Math.min(defaultDays, maxDays ?? defaultDays)) : null;
  // A minute for clocks that differ.
  if (maxDays && (!expiresAt || expiresAt.getTime() > inDays(maxDays).getTime() + 60_000)) {
    const message = `must be within ${maxDays} days`;
    throw new AppError('invalid_request', `expiresAt: ${message}`, {
      errors: [{ path: 'expiresAt', message, rule: 'token_days', values: { limit: maxDays } }],
    });
  }
  return expiresAt;
}

/** A token that was revoked before stays as it is. With a user, only of that user's own. */
export async function revoke(
  db: Db,
  id: string,
  actor: string,
  expected = anything,
  userId?: string,
): Promise<void> {
  await db.transaction(async (tx) => {
    const [row] = await tx.select().from(apiTokens).where(eq(apiTokens.id, id)).for('update');
    if (!row || (userId !== undefined && row.userId !== userId))
      throw new AppError('not_found', 'There is no such token.');
    expected.ensureIs(row.revision);
    if (row.revokedAt) return;
    await tx.update(apiTokens).set({ revokedAt: new Date() }).where(eq(apiTokens.id, id));
    await record(tx, { actor, action: 'token.revoke', subject: id, detail: { name: row.name } });
  });
}

export async function findCaller(db: Db, secret: string): Promise<Caller | null> {
  if (!secret.startsWith(prefix)) return null;
  const now = new Date();
  const [found] = await db
    .select({ row: apiTokens, user: users })
    .from(apiTokens)
    .leftJoin(users, eq(users.id, apiTokens.userId))
    .where(
      and(
        eq(apiTokens.tokenHash, sha256(secret)),
        isNull(apiTokens.revokedAt),
        or(isNull(apiTokens.expiresAt), gt(apiTokens.expiresAt, now)),
        // Of who made one for himself.
        isNull(users.disabledAt),
      ),
    );
  if (!found) return null;
  const { row, user } = found;
  const stale = new Date(now.getTime() - usedEveryMs);
  if (!row.lastUsedAt || row.lastUsedAt < stale) {
    await db
      .update(apiTokens)
      .set({ lastUsedAt: now })
      .where(
        and(eq(apiTokens.id, row.id), or(isNull(apiTokens.lastUsedAt), lt(apiTokens.lastUsedAt, stale))),
      );
  }
  const { role, reach, scopes } = user ? heldTo(user, row) : row;
  const name = `${callerPrefix}${row.name}${user ? `${ofUser}${row.createdBy}` : ''}`;
  return { name, role, userId: null, reach, scopes };
}

/** Who made tokens that go by this name as a caller, also before; a user's id of one that is the user's own. None when it is no token's. */
export async function makersOf(db: Db, caller: string): Promise<{ by: string; userId: string | null }[]> {
  if (!caller.startsWith(callerPrefix)) return [];
  const named = sql`${apiTokens.name} || case when ${apiTokens.userId} is null then '' else ${ofUser}::text || ${apiTokens.createdBy} end`;
  return db
    .select({ by: apiTokens.createdBy, userId: apiTokens.userId })
    .from(apiTokens)
    .where(sql`${named} = ${caller.slice(callerPrefix.length)}`);
}

/** Who made them goes by another e-mail from now on. A user's own keep theirs: it is part of their name, and they know their user. */
export async function renameMaker(tx: Db, before: string, after: string): Promise<void> {
  const made = and(eq(apiTokens.createdBy, before), isNull(apiTokens.userId));
  await tx.update(apiTokens).set({ createdBy: after }).where(made);
}

function withoutHash({ tokenHash, ...rest }: typeof apiTokens.$inferSelect): ApiToken {
  return rest;
}
