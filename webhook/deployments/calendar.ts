/** Deployments and freezes of a span of time, for the console's month. */
import { z } from '@hono/zod-openapi';
import { sql } from 'drizzle-orm';
import { at } from '../db/clock.ts';
import { type Db, query } from '../db/query.ts';
import type { Reach } from '../devices/reach.ts';
import * as freezes from '../freezes/freezes.ts';
import { freezeSchema, presentFreeze } from '../freezes/schema.ts';
import { isThere } from './reached.ts';
import { type RolloutState, rolloutStates } from './rollout.ts';

const maxDays = 62;
const shown = 500;

export const spanSchema = z
  .object({ from: z.iso.datetime({ offset: true }), to: z.iso.datetime({ offset: true }) })
  .refine(({ from, to }) => Date.parse(from) < Date.parse(to), { path: ['to'], message: 'must be later' })
  .refine(({ from, to }) => Date.parse(to) - Date.parse(from) <= maxDays * 86_400_000, {
    path: ['to'],
    message: `must be within ${maxDays} days`,
  });

export const calendarSchema = z
  .object({
    /** Earliest first, at most 500. */
    deployments: z.array(
      z.object({
        id: z.uuid(),
        firmware: z.string(),
        version: z.string(),
        state: z.enum(rolloutStates),
        /** When it started or is to start. */
        startsAt: z.string(),
        /** Null: it has not ended. */
        endsAt: z.string().nullable(),
      }),
    ),
    total: z.int(),
    freezes: z.array(freezeSchema),
  })
  .openapi('Calendar');

export async function readCalendar(db: Db, reach: Reach, span: z.infer<typeof spanSchema>) {
  const [from, to] = [Date.parse(span.from), Date.parse(span.to)];
  const rows = await query<{
    id: string;
    firmware: string;
    version: string;
    state: RolloutState;
    start: number;
    end: number | null;
    total: number;
  }>(
    db,
    sql`select d.id, f.name as firmware, f.version, d.state, count(*) over ()::int as total,
          (extract(epoch from coalesce(d.start_at, d.created_at)) * 1000)::float8 as start,
          (extract(epoch from d.finished_at) * 1000)::float8 as "end"
        from deployments d join firmwares f on f.id = d.firmware_id
        where coalesce(d.start_at, d.created_at) < ${at(to)}
          and coalesce(d.finished_at, greatest(now(), d.start_at)) >= ${at(from)} and ${isThere(reach, 'd')}
        order by start, d.id limit ${shown}`,
  );
  const iso = (ms: number) => new Date(ms).toISOString();
  return {
    deployments: rows.map(({ start, end, total: _, ...rest }) => ({
      ...rest,
      startsAt: iso(start),
      endsAt: end === null ? null : iso(end),
    })),
    total: rows[0]?.total ?? 0,
    freezes: (await freezes.list(db, from, to)).map(presentFreeze),
  };
}
