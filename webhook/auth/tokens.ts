/** API tokens: bearer tokens with a role of their own, shown once. They outlive the user who made them, until revoked or expired. */
import { and, desc, eq, gt, isNull, lt, or } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import { orNameTaken } from '../db/name-taken.ts';
import type { Db } from '../db/query.ts';
import { anything } from '../db/revision.ts';
import { ensurePlaces, type Limits } from '../devices/reach.ts';
import { AppError } from '../errors.ts';
import type { Caller, Role } from '../http.ts';
import { makeSecret, sha256 } from './secrets.ts';
import { apiTokens } from './table.ts';

export type ApiToken = Omit<typeof apiTokens.$inferSelect, 'tokenHash'>;

/** Lets scanners of repositories and logs recognise a token that has leaked. */
const prefix = 'flota_';
const callerPrefix = 'token ';
const usedEveryMs = 60_000;

export async function list(db: Db): Promise<ApiToken[]> {
  const rows = await db.select().from(apiTokens).orderBy(desc(apiTokens.createdAt), apiTokens.id);
  return rows.map(withoutHash);
}

export async function create(
  db: Db,
  input: { name: string; role: Role; reach: Limits | null; expiresAt: Date | null },
  actor: string,
): Promise<{ secret: string; token: ApiToken }> {
  const secret = `${prefix}${makeSecret()}`;
  const token = await orNameTaken(`A token named ${input.name}`, () =>
    db.transaction(async (tx) => {
      await ensurePlaces(tx, input.reach);
      const values = { ...input, tokenHash: sha256(secret), createdBy: actor };
      const [row] = await tx.insert(apiTokens).values(values).returning();
      const { name, role, reach, expiresAt } = input;
      const detail = { name, role, reach, expiresAt: expiresAt?.toISOString() ?? null };
      await record(tx, { actor, action: 'token.create', subject: row!.id, detail });
      return row!;
    }),
  );
  return { secret, token: withoutHash(token) };
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
  return { name: `${callerPrefix}${row.name}`, role: row.role, userId: null, reach: row.reach };
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

function withoutHash({ tokenHash, ...rest }: typeof apiTokens.$inferSelect): ApiToken {
  return rest;
}
