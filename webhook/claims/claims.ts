/**
 * Which fleet file has made what. It is claimed before it is made and again with its id after, so a file that breaks off in between finds
 * the claim and goes on.
 */
import { asc, eq, sql } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import type { Db } from '../db/query.ts';
import { AppError } from '../errors.ts';
import { claims } from './table.ts';

export type Claim = typeof claims.$inferSelect;
export type ClaimInput = Pick<Claim, 'owner' | 'kind' | 'name' | 'subject'>;

export async function list(db: Db): Promise<Claim[]> {
  return db.select().from(claims).orderBy(asc(claims.kind), asc(claims.name));
}

/** The same owner's again takes the new subject. Throws `claimed`. */
export async function claim(db: Db, input: ClaimInput, actor: string): Promise<Claim> {
  return db.transaction(async (tx) => {
    const [row] = await tx
      .insert(claims)
      .values(input)
      .onConflictDoUpdate({
        target: [claims.kind, claims.name],
        set: { subject: input.subject },
        setWhere: sql`${claims.owner} = ${input.owner}`,
      })
      .returning();
    if (!row) throw new AppError('claimed', `The ${input.kind} ${input.name} belongs to another fleet file.`);
    await record(tx, { actor, action: 'claim.make', subject: row.id, detail: { ...input } });
    return row;
  });
}

/** What was made stays, and belongs to no file. */
export async function release(db: Db, id: string, actor: string): Promise<void> {
  await db.transaction(async (tx) => {
    const [row] = await tx.delete(claims).where(eq(claims.id, id)).returning();
    if (!row) throw new AppError('not_found', 'There is no such claim.');
    const { owner, kind, name } = row;
    await record(tx, { actor, action: 'claim.release', subject: id, detail: { owner, kind, name } });
  });
}
