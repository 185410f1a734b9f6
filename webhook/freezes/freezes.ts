/** Freezes of the whole fleet: days on which no update starts, unless its deployment overrides them with a reason. */
import { and, asc, count, eq, gt, lt, sql } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import { at } from '../db/clock.ts';
import { type Db, query } from '../db/query.ts';
import { anything } from '../db/revision.ts';
import { markUnfinished } from '../deployments/store.ts';
import { momentOf } from '../deployments/window.ts';
import { AppError } from '../errors.ts';
import { freezes } from './table.ts';

export type Freeze = typeof freezes.$inferSelect;
export interface NewFreeze {
  name: string;
  firstDay: string;
  lastDay: string;
  timeZone: string;
}

const dayMs = 86_400_000;
/** Each is read when targets are started. */
const maxAhead = 100;

/** Throws `freezes_full`. Rollouts heed it from the commit on. */
export async function create(db: Db, input: NewFreeze, actor: string): Promise<Freeze> {
  const startsAt = new Date(momentOf(input.timeZone, Date.parse(input.firstDay)));
  const endsAt = new Date(momentOf(input.timeZone, Date.parse(input.lastDay) + dayMs));
  return db.transaction(async (tx) => {
    const [ahead] = await tx.select({ n: count() }).from(freezes).where(gt(freezes.endsAt, sql`now()`));
    if (ahead!.n >= maxAhead)
      throw new AppError('freezes_full', `There are ${maxAhead} freezes ahead: delete one.`);
    const values = { ...input, startsAt, endsAt, createdBy: actor };
    const [row] = await tx.insert(freezes).values(values).returning();
    await markUnfinished(tx);
    await record(tx, { actor, action: 'freeze.create', subject: row!.id, detail: { ...input } });
    return row!;
  });
}

/** Throws `not_found`. What waited for its end goes on. */
export async function remove(db: Db, id: string, actor: string, expected = anything): Promise<void> {
  await db.transaction(async (tx) => {
    await expected.ensure(tx, freezes, id);
    const [row] = await tx.delete(freezes).where(eq(freezes.id, id)).returning();
    if (!row) throw new AppError('not_found', 'There is no such freeze.');
    const { name, firstDay, lastDay, timeZone } = row;
    await markUnfinished(tx);
    const detail = { name, firstDay, lastDay, timeZone };
    await record(tx, { actor, action: 'freeze.delete', subject: id, detail });
  });
}

/** Those that have a moment in common with this time, earliest first. */
export async function list(db: Db, from: number, to: number): Promise<Freeze[]> {
  return db
    .select()
    .from(freezes)
    .where(and(gt(freezes.endsAt, at(from)), lt(freezes.startsAt, at(to))))
    .orderBy(asc(freezes.startsAt), asc(freezes.id));
}

/** When a freeze that holds at `now`, and those that follow it without a gap, are over; null: none holds. */
export async function frozenUntil(db: Db, now: number): Promise<number | null> {
  const rows = await query<{ start: number; end: number }>(
    db,
    sql`select (extract(epoch from starts_at) * 1000)::float8 as start, (extract(epoch from ends_at) * 1000)::float8 as "end"
        from freezes where ends_at > ${at(now)} order by starts_at`,
  );
  let until = now;
  for (const { start, end } of rows) if (start <= until) until = Math.max(until, end);
  return until > now ? until : null;
}
