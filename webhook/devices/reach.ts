/**
 * Which devices somebody may see and touch: made once a request (`auth/guard.ts`), and taken by every query over devices, or over what
 * belongs to one, as one more condition. What is beyond it is to a query as if it were not there.
 */
import { z } from '@hono/zod-openapi';
import { inArray, type SQL, type SQLWrapper, sql } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import type { Db } from '../db/query.ts';
import { AppError } from '../errors.ts';
import { compile } from './query/compile.ts';
import { parseQuery, setFields } from './query/grammar.ts';
import { setQueryTextSchema } from './query/schema.ts';
import { devices, divisions, regions } from './table.ts';

/** Devices of any of these places, and those that the query finds. All others are beyond it. */
export interface Limits {
  regions: string[];
  divisions: string[];
  /** By what people set alone, or a device could say itself into somebody's reach. */
  query?: string | undefined;
}

export const limitsSchema = z
  .strictObject({
    regions: z.array(z.uuid()).max(1000).default([]),
    divisions: z.array(z.uuid()).max(1000).default([]),
    query: setQueryTextSchema.optional(),
  })
  .refine((limits) => !isNothing(limits), 'must name a region or division, or have a query');

export const isNothing = ({ regions, divisions, query }: Limits): boolean =>
  regions.length + divisions.length === 0 && query === undefined;

export interface Reach {
  /** Null: the whole fleet. */
  limits: Limits | null;
  /** Two that reach the same have the same. */
  key: string;
  /** Condition on a row of `devices`, by its name in the statement. */
  on(row?: string): SQL;
  /** The same on any row with `region_id` and `division_id`; null: these do not tell, for it has a query. */
  onPlace: ((row: string) => SQL) | null;
  /** Condition on the id of a device, in whatever column. */
  holds(deviceId: SQLWrapper): SQL;
  /** Condition on limits in a column (jsonb) of whoever made something: they lie within these. */
  contains(limits: SQL): SQL;
}

/** Of whoever is not limited, and of what the system does by itself. */
export const everything: Reach = {
  limits: null,
  key: '',
  on: () => sql`true`,
  onPlace: () => sql`true`,
  holds: () => sql`true`,
  contains: () => sql`true`,
};

export function reachOf(limits: Limits | null): Reach {
  if (limits === null) return everything;
  const regionIds = JSON.stringify([...limits.regions].sort());
  const divisionIds = JSON.stringify([...limits.divisions].sort());
  const query = limits.query ?? null;
  const among = (ids: string) =>
    sql`any(array(select value::uuid from jsonb_array_elements_text(${ids}::jsonb)))`;
  const onPlace = (row: string) =>
    sql`(${sql.raw(row)}.region_id = ${among(regionIds)} or ${sql.raw(row)}.division_id = ${among(divisionIds)})`;
  // One that cannot be read any more throws: nothing is within reach.
  const parsed = query === null ? null : parseQuery(query, setFields);
  const on = (row = 'devices') =>
    parsed
      ? sql`(${onPlace(row)} or (${compile(parsed, alias(devices, row) as unknown as typeof devices)}))`
      : onPlace(row);
  return {
    limits,
    key: `${regionIds} ${divisionIds} ${query ?? ''}`,
    on,
    onPlace: parsed ? null : onPlace,
    holds: (deviceId) => sql`${deviceId} in (select within.id from devices within where ${on('within')})`,
    contains: (other) => sql`(jsonb_typeof(${other}) = 'object'
      and ${other}->'regions' <@ ${regionIds}::jsonb and ${other}->'divisions' <@ ${divisionIds}::jsonb
      and coalesce(${other}->>'query' = ${query}::text, ${other}->>'query' is null))`,
  };
}

/** Throws `unknown_reference` for a place that is not there. */
export async function ensurePlaces(db: Db, limits: Limits | null | undefined): Promise<void> {
  for (const [table, ids] of [
    [regions, limits?.regions ?? []],
    [divisions, limits?.divisions ?? []],
  ] as const) {
    const found = await db.select({ id: table.id }).from(table).where(inArray(table.id, ids));
    if (found.length < new Set(ids).size) throw unknownPlace();
  }
}

/** Those of the names that are there, as ids; the query as it is. */
export async function findLimits(
  db: Db,
  { regions: ofRegions, divisions: ofDivisions, ...query }: Limits,
): Promise<Limits> {
  const find = async (table: typeof regions | typeof divisions, of: string[]) => {
    const found = await db.select({ id: table.id }).from(table).where(inArray(table.name, of));
    return found.map(({ id }) => id).sort();
  };
  return { regions: await find(regions, ofRegions), divisions: await find(divisions, ofDivisions), ...query };
}

interface Of {
  region?: string | null | undefined;
  division?: string | null | undefined;
}

/**
 * A device that somebody moves goes to a place that the reach names, or stays in the one that it has: one beyond the reach is like one that is
 * not there.
 */
export function ensureKept({ limits }: Reach, { region, division }: Of, has: Of = {}): void {
  if (limits === null) return;
  const isBeyond = (to: string | null | undefined, from: string | null | undefined, named: string[]) =>
    to && to !== from && !named.includes(to);
  if (isBeyond(region, has.region, limits.regions) || isBeyond(division, has.division, limits.divisions))
    throw unknownPlace();
}

export function unknownPlace(cause?: unknown): AppError {
  return new AppError('unknown_reference', 'There is no such region or division.', { cause });
}

export function beyondReach(): AppError {
  return new AppError('beyond_reach', 'This concerns devices beyond your reach.');
}
