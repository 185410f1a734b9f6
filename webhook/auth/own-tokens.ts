/**
 * Personal tokens: anybody may make some, for less than or as much as one may oneself, until a day. Each time one is used it is held against the user whose own it is:
 * it may never more than that user may now, approves nothing, and makes neither tokens nor users.
 */
import { and, count, eq, gt, isNull } from 'drizzle-orm';
import type { Db } from '../db/query.ts';
import { anything } from '../db/revision.ts';
import type { Limits } from '../devices/reach.ts';
import { AppError } from '../errors.ts';
import type { Caller, Role } from '../http.ts';
import { lesser, sizeOf, within } from './held-to.ts';
import type { Scope } from './scopes.ts';
import { apiTokens } from './table.ts';
import * as tokens from './tokens.ts';

export type Person = Caller & { userId: string };

const maxTokens = 50;
const maxDays = 365;

export interface NewOwnToken {
  name: string;
  role: Role | undefined;
  reach: Limits | null;
  scopes: Scope[] | null;
  expiresAt: Date | undefined;
}

/** Throws `forbidden` and `beyond_reach` for more than one may oneself, and `tokens_full`. */
export async function create(db: Db, asked: NewOwnToken, person: Person, most = maxDays) {
  const { name, role = person.role, reach, scopes, expiresAt } = asked;
  if (lesser(role, person.role) !== role)
    throw new AppError('forbidden', `Your token can have your role at most: ${person.role}.`);
  if (reach && sizeOf(reach) !== sizeOf(within(reach, person.reach)!))
    throw new AppError('beyond_reach', 'Your token can reach what you reach at most.');
  const own = { name, role, reach, scopes, ...(expiresAt && { expiresAt }) };
  return db.transaction(async (tx) => {
    const [active] = await tx
      .select({ n: count() })
      .from(apiTokens)
      .where(
        and(
          eq(apiTokens.userId, person.userId),
          isNull(apiTokens.revokedAt),
          gt(apiTokens.expiresAt, new Date()),
        ),
      );
    if (active!.n >= maxTokens)
      throw new AppError('tokens_full', `You have ${maxTokens} tokens: revoke one that you do not use.`);
    return tokens.create(tx, own, person.name, Math.min(most, maxDays), person.userId);
  });
}

/** Of a token there are none. */
export async function list(db: Db, { userId }: Caller): Promise<tokens.ApiToken[]> {
  return userId === null ? [] : tokens.list(db, userId);
}

export async function revoke(db: Db, id: string, person: Person, expected = anything): Promise<void> {
  await tokens.revoke(db, id, person.name, expected, person.userId);
}

/** Throws `forbidden` for a token. */
export function ensurePerson(caller: Caller): Person {
  if (caller.userId === null) throw new AppError('forbidden', 'A person makes tokens, not a token.');
  return caller as Person;
}
