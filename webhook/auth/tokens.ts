/** API tokens: bearer tokens with a role of their own, shown once. They outlive the user who made them, until revoked or expired. */
import { and, desc, eq, gt, isNull, lt, or } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import { orNameTaken } from '../db/name-taken.ts';
import type { Db } from '../db/query.ts';
import { anything } from '../db/revision.ts';
import { ensurePlaces, type Limits } from '../devices/reach.ts';
import { AppError } from '../errors.ts';
import type { Caller, Role } from '../http.ts';
import type { Scope } from './scopes.ts';
import { makeSecret, sha256 } from './secrets.ts';
import { apiTokens } from './table.ts';

export type ApiToken = Omit<typeof apiTokens.$inferSelect, 'tokenHash'>;

/** Lets scanners of repositories and logs recognise a token that has leaked. */
const prefix = 'flota_';
const callerPrefix = 'token ';
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

export async function list(db: Db): Promise<ApiToken[]> {
  const rows = await db.select().from(apiTokens).orderBy(desc(apiTokens.createdAt), apiTokens.id);
  return rows.map(withoutHash);
}

export async function create(
  db: Db,
  asked: NewToken,
  actor: string,
  maxDays?: number,
): Promise<{ secret: string; token: ApiToken }> {
  const input = { ...asked, expiresAt: expiryOf(asked, maxDays) };
  const secret = `${prefix}${makeSecret()}`;
  const token = await orNameTaken(`A token named ${input.name}`, () =>
    db.transaction(async (tx) => {
      await ensurePlaces(tx, input.reach);
      const values = { ...input, tokenHash: sha256(secret), createdBy: actor };
      const [row] = await tx.insert(apiTokens).values(values).returning();
      const { name, role, reach, scopes, expiresAt } = input;
      const detail = { name, role, reach, scopes, expiresAt: expiresAt?.toISOString() ?? null };
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

/** A token that was revoked before stays as it is. */
export async function revoke(db: Db, id: string, actor: string, expected = anything): Promise<void> {
  await db.transaction(async (tx) => {
    const [row] = await tx.select().from(apiTokens).where(eq(apiTokens.id, id)).for('update');
    if (!row) throw new AppError('not_found', 'There is no such token.');
    expected.ensureIs(row.revision);
    if (row.revokedAt) return;
    await tx.update(apiTokens).set({ revokedAt: new Date() }).where(eq(apiTokens.id, id));
    await record(tx, { actor, action: 'token.revoke', subject: id, detail: { name: row.name } });
  });
}

export async function findCaller(db: Db, secret: string): Promise<Caller | null> {
  if (!secret.startsWith(prefix)) return null;
  const now = new Date();
  const [row] = await db
    .select()
    .from(apiTokens)
    .where(
      and(
        eq(apiTokens.tokenHash, sha256(secret)),
        isNull(apiTokens.revokedAt),
        or(isNull(apiTokens.expiresAt), gt(apiTokens.expiresAt, now)),
      ),
    );
  if (!row) return null;
  const stale = new Date(now.getTime() - usedEveryMs);
  if (!row.lastUsedAt || row.lastUsedAt < stale) {
    await db
      .update(apiTokens)
      .set({ lastUsedAt: now })
      .where(
        and(eq(apiTokens.id, row.id), or(isNull(apiTokens.lastUsedAt), lt(apiTokens.lastUsedAt, stale))),
      );
  }
  const { role, reach, scopes } = row;
  return { name: `${callerPrefix}${row.name}`, role, userId: null, reach, scopes };
}

/** E-mails of who made tokens that go by this name as a caller, also before; none when it is no token's. */
export async function makersOf(db: Db, caller: string): Promise<string[]> {
  if (!caller.startsWith(callerPrefix)) return [];
  const rows = await db
    .select({ by: apiTokens.createdBy })
    .from(apiTokens)
    .where(eq(apiTokens.name, caller.slice(callerPrefix.length)));
  return rows.map(({ by }) => by);
}

/** Who made them goes by another e-mail from now on. */
export async function renameMaker(tx: Db, before: string, after: string): Promise<void> {
  await tx.update(apiTokens).set({ createdBy: after }).where(eq(apiTokens.createdBy, before));
}

function withoutHash({ tokenHash, ...rest }: typeof apiTokens.$inferSelect): ApiToken {
  return rest;
}
