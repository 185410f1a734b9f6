/** How deployments go out, under a name: whoever deploys takes a copy, so a change reaches only what starts later. */
import { asc, eq } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import { orNameTaken } from '../db/name-taken.ts';
import type { Db } from '../db/query.ts';
import { anything } from '../db/revision.ts';
import type { AskedPolicy } from '../deployments/schema.ts';
import { AppError } from '../errors.ts';
import { rolloutPolicies } from './table.ts';

export type NamedPolicy = typeof rolloutPolicies.$inferSelect;
export interface PolicyFields {
  name: string;
  policy: AskedPolicy;
}

/** By name. */
export async function list(db: Db): Promise<NamedPolicy[]> {
  return db.select().from(rolloutPolicies).orderBy(asc(rolloutPolicies.name));
}

/** Throws `name_taken`. */
export async function create(db: Db, input: PolicyFields, actor: string): Promise<NamedPolicy> {
  return orNameTaken(input.name, () =>
    db.transaction(async (tx) => {
      const values = { ...input, createdBy: actor };
      const [row] = await tx.insert(rolloutPolicies).values(values).returning();
      await record(tx, { actor, action: 'policy.create', subject: row!.id, detail: { ...input } });
      return row!;
    }),
  );
}

/** Throws `not_found`, `name_taken`. */
export async function change(
  db: Db,
  id: string,
  input: { [K in keyof PolicyFields]?: PolicyFields[K] | undefined },
  actor: string,
  expected = anything,
): Promise<NamedPolicy> {
  return orNameTaken(input.name ?? '', () =>
    db.transaction(async (tx) => {
      await expected.ensure(tx, rolloutPolicies, id);
      const values = { ...input, updatedAt: new Date() };
      const where = eq(rolloutPolicies.id, id);
      const [row] = await tx.update(rolloutPolicies).set(values).where(where).returning();
      if (!row) throw notFound();
      await record(tx, { actor, action: 'policy.change', subject: id, detail: { ...input } });
      return row;
    }),
  );
}

export async function remove(db: Db, id: string, actor: string, expected = anything): Promise<void> {
  await db.transaction(async (tx) => {
    await expected.ensure(tx, rolloutPolicies, id);
    const [row] = await tx.delete(rolloutPolicies).where(eq(rolloutPolicies.id, id)).returning();
    if (!row) throw notFound();
    await record(tx, { actor, action: 'policy.delete', subject: id, detail: { name: row.name } });
  });
}

function notFound(): AppError {
  return new AppError('not_found', 'There is no such policy.');
}
