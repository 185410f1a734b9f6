/** Which devices somebody has chosen, for a deployment or for a job. */
import { z } from '@hono/zod-openapi';
import { and, inArray, or, type SQL, sql } from 'drizzle-orm';
import { compile } from './query/compile.ts';
import { parseQuery } from './query/grammar.ts';
import { queryTextSchema } from './query/schema.ts';
import { type Limits, reachOf } from './reach.ts';
import { devices } from './table.ts';

export interface Chosen {
  all: boolean;
  regions: string[];
  divisions: string[];
  devices: string[];
  /** Only those that match it, of all that the others choose; alone it chooses among every device. */
  query?: string | undefined;
  /** Name of the group that the query was taken from. */
  group?: string | undefined;
  /** Of whoever chose: nothing beyond it is chosen, also not later. Left out: the whole fleet. */
  reach?: Limits | undefined;
}

export const maxDevices = 10_000;

/** Fields of a request that chooses; `group` becomes its query by `groups.pin`. */
export const chosenFields = {
  all: z.boolean().default(false),
  regions: z.array(z.uuid()).max(1000).default([]),
  divisions: z.array(z.uuid()).max(1000).default([]),
  devices: z.array(z.string().max(64)).max(maxDevices).default([]),
  query: queryTextSchema.optional(),
  group: z.string().max(100).optional(),
};

/** Condition on `devices`: in any of the regions or divisions, or named itself, or (with `all`) as `fits` says; and as the query says, within the reach. */
export function chosen(selection: Chosen, fits: SQL): SQL {
  const named = or(
    selection.all ? fits : undefined,
    selection.regions.length ? inArray(devices.regionId, selection.regions) : undefined,
    selection.divisions.length ? inArray(devices.divisionId, selection.divisions) : undefined,
    selection.devices.length ? inArray(devices.id, selection.devices) : undefined,
  );
  const asked = and(named, selection.query ? compile(parseQuery(selection.query)) : undefined);
  return asked ? and(asked, reachOf(selection.reach ?? null).on())! : sql`false`;
}
