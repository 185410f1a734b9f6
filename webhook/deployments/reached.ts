/**
 * What a deployment is to somebody of a limited reach. It is there when it has a device within it, or was made by somebody who reaches no
 * further; its counts and targets are then those within. It takes a reach over all of its devices to do anything with it.
 */
import { type SQL, sql } from 'drizzle-orm';
import { anyOf, type Db, query } from '../db/query.ts';
import { anything } from '../db/revision.ts';
import { beyondReach, type Reach } from '../devices/reach.ts';
import { AppError } from '../errors.ts';
import type { Selected } from './left-out.ts';

/** Condition on a row of `deployments`, by its name in the statement. */
export function isThere(reach: Reach, row = 'deployments'): SQL {
  if (reach.limits === null) return sql`true`;
  const of = sql.raw(row);
  return sql`(${reach.contains(sql`${of}.selection->'reach'`)} or exists (
    select from targets within_t join devices within_d on within_d.id = within_t.device_id
    where within_t.deployment_id = ${of}.id and ${reach.on('within_d')}))`;
}

/** The same: none of its devices is beyond the reach, and none can come to be. */
export function isCovered(reach: Reach, row = 'deployments'): SQL {
  if (reach.limits === null) return sql`true`;
  const of = sql.raw(row);
  return sql`(not exists (
      select from targets beyond_t join devices beyond_d on beyond_d.id = beyond_t.device_id
      where beyond_t.deployment_id = ${of}.id and ${reach.on('beyond_d')} is not true)
    and (coalesce(${reach.contains(sql`${of}.selection->'reach'`)}, false)
      or ${of}.finished_at is not null
      or (${of}.memory->>'resolvedAt' is not null and ${of}.policy->>'lateJoinersMs' is null)))`;
}

export function noDeployment(): AppError {
  return new AppError('not_found', 'There is no such deployment.');
}

/**
 * Throws `not_found`, `beyond_reach` for one that has devices elsewhere, too, and `changed_meanwhile`. With `lock` nobody changes it until
 * the transaction ends.
 */
export async function ensureCovered(
  tx: Db,
  reach: Reach,
  id: string,
  lock = true,
  expected = anything,
): Promise<void> {
  const [row] = await query<{ covered: boolean; revision: string }>(
    tx,
    sql`select ${isCovered(reach)} as covered, revision::text from deployments
        where id = ${id}::uuid and ${isThere(reach)} ${lock ? sql`for no key update` : sql``}`,
  );
  if (!row) throw noDeployment();
  if (!row.covered) throw beyondReach();
  if (lock) expected.ensureIs(row.revision);
}

/** What somebody chose whose devices are not all within the reach: only what is within it is told. */
export function withinReach({ limits }: Reach, selection: Selected): Selected {
  const { query: _, group: __, reach: ___, ...rest } = selection;
  return {
    ...rest,
    regions: rest.regions.filter((id) => limits?.regions.includes(id)),
    divisions: rest.divisions.filter((id) => limits?.divisions.includes(id)),
    devices: [],
  };
}

/** Those of the ids that are there. */
export async function findThere(db: Db, reach: Reach, ids: string[]): Promise<{ id: string }[]> {
  return query<{ id: string }>(
    db,
    sql`select id from deployments
        where id ${anyOf(ids, 'uuid')} and ${isThere(reach)}`,
  );
}
