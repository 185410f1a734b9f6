/** Queries under a name: who is in a group is found each time that somebody asks. */
import { and, asc, count, eq, isNotNull, or, sql } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import { orNameTaken } from '../db/name-taken.ts';
import { type Db, foreignKeyViolation, sqlState } from '../db/query.ts';
import { anything } from '../db/revision.ts';
import { AppError } from '../errors.ts';
import type { Chosen } from './chosen.ts';
import { compile } from './query/compile.ts';
import { parseQuery } from './query/grammar.ts';
import type { Reach } from './reach.ts';
import { deviceGroups, devices } from './table.ts';

export type Group = typeof deviceGroups.$inferSelect;
export interface GroupFields {
  name: string;
  query: string;
  pinned?: string | null | undefined;
  channel?: string | null | undefined;
}
/** What is said of all devices that match. */
export interface GroupPin {
  query: string;
  pinned: string | null;
  channel: string | null;
}

/** By name. */
export async function list(db: Db): Promise<Group[]> {
  return db.select().from(deviceGroups).orderBy(asc(deviceGroups.name));
}

/** Of groups that are pinned or follow a channel, by name: the first that a device is in counts. */
export async function listPins(db: Db): Promise<GroupPin[]> {
  const { query, pinned, channel, name } = deviceGroups;
  return db
    .select({ query, pinned, channel })
    .from(deviceGroups)
    .where(or(isNotNull(pinned), isNotNull(channel)))
    .orderBy(asc(name));
}

/** A selection with what groups say of its devices now. */
export async function withPins<S extends object>(db: Db, selection: S): Promise<S & { pins: GroupPin[] }> {
  return { ...selection, pins: await listPins(db) };
}

/** Throws `name_taken`. */
export async function create(db: Db, input: GroupFields, actor: string): Promise<Group> {
  return orNameTaken(input.name, () =>
    db.transaction(async (tx) => {
      const values = { ...input, createdBy: actor };
      const [row] = await tx.insert(deviceGroups).values(values).returning();
      await record(tx, { actor, action: 'group.create', subject: row!.id, detail: { ...input } });
      return row!;
    }),
  );
}

/** Deployments that were asked for by its name keep the query that it had. Throws `not_found`, `name_taken`. */
export async function change(
  db: Db,
  id: string,
  input: { [K in keyof GroupFields]?: GroupFields[K] | undefined },
  actor: string,
  expected = anything,
): Promise<Group> {
  return orNameTaken(input.name ?? '', () =>
    db.transaction(async (tx) => {
      await expected.ensure(tx, deviceGroups, id);
      const values = { ...input, updatedAt: new Date() };
      const [row] = await tx.update(deviceGroups).set(values).where(eq(deviceGroups.id, id)).returning();
      if (!row) throw notFound();
      await record(tx, { actor, action: 'group.change', subject: id, detail: { ...input } });
      return row;
    }),
  );
}

/** Throws `not_found`, and `in_use` while a notification rule watches it. */
export async function remove(db: Db, id: string, actor: string, expected = anything): Promise<void> {
  try {
    await db.transaction(async (tx) => {
      await expected.ensure(tx, deviceGroups, id);
      const [row] = await tx.delete(deviceGroups).where(eq(deviceGroups.id, id)).returning();
      if (!row) throw notFound();
      await record(tx, { actor, action: 'group.delete', subject: id, detail: { name: row.name } });
    });
  } catch (error) {
    if (sqlState(error) !== foreignKeyViolation) throw error;
    throw new AppError('in_use', 'A notification rule watches it: change that one first.', { cause: error });
  }
}

/** Throws `not_found`. */
export async function getGroup(db: Db, id: string): Promise<Group> {
  const [group] = await db.select().from(deviceGroups).where(eq(deviceGroups.id, id));
  if (!group) throw notFound();
  return group;
}

/** How many devices it finds now, of a region or of all. Throws `not_found`, and QueryError for one that cannot be read any more. */
export async function countMatching(
  db: Db,
  id: string,
  regionId: string | null,
): Promise<Pick<Group, 'name' | 'query'> & { devices: number }> {
  const { name, query } = await getGroup(db, id);
  const there = regionId === null ? undefined : eq(devices.regionId, regionId);
  const [row] = await db
    .select({ n: count() })
    .from(devices)
    .where(and(there, compile(parseQuery(query))));
  return { name, query, devices: row!.n };
}

/**
 * The choice within the reach, with its group's query as that is now. Throws `unknown_reference`; groups are the fleet's, so to a limited
 * reach there is none.
 */
export async function pin<C extends Chosen>(db: Db, { limits }: Reach, asked: C): Promise<C> {
  const chosen = limits === null ? asked : { ...asked, reach: limits };
  if (chosen.group === undefined) return chosen;
  if (chosen.query !== undefined)
    throw new AppError('invalid_request', 'group: cannot be given beside a query');
  const named = and(eq(deviceGroups.name, chosen.group), sql`${limits === null}`);
  const [group] = await db.select().from(deviceGroups).where(named);
  if (!group) throw new AppError('unknown_reference', `There is no group named ${chosen.group}.`);
  return { ...chosen, query: group.query };
}

function notFound(): AppError {
  return new AppError('not_found', 'There is no such group.');
}
