/** Who may decide about what waits for a second person, or has had that one's word: a person, and not who asked for it. */
import { makersOf } from '../auth/tokens.ts';
import type { Db } from '../db/query.ts';
import { AppError } from '../errors.ts';
import type { Caller } from '../http.ts';

interface Asked {
  authorId: string | null;
  createdBy: string;
}

/** Also who made the token that asked for it. */
export async function isAuthor(db: Db, asked: Asked, caller: Caller): Promise<boolean> {
  if (asked.authorId !== null && asked.authorId === caller.userId) return true;
  if (asked.createdBy === caller.name) return true;
  const makers = await makersOf(db, asked.createdBy);
  return makers.some(({ by, userId }) => by === caller.name || (userId !== null && userId === caller.userId));
}

/** Throws approval_by_token. */
export function ensurePerson({ userId }: Caller): void {
  if (userId === null) throw new AppError('approval_by_token', 'A person decides, not a token.');
}

/** Throws approval_by_token, approval_by_author. */
export async function ensureSecondPerson(db: Db, asked: Asked, caller: Caller): Promise<void> {
  ensurePerson(caller);
  if (await isAuthor(db, asked, caller))
    throw new AppError('approval_by_author', 'Somebody else than its author decides.');
}
