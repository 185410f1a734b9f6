/** What a gate has found so far, for the page's plot. */
import { sql } from 'drizzle-orm';
import { type Db, query } from '../../db/query.ts';
import type { Reach } from '../../devices/reach.ts';
import { get } from '../views.ts';
import type { Judgement } from './verdict.ts';

/** Of each signal; the last one is always there. */
const shown = 1_000;

export async function listJudgements(
  db: Db,
  reach: Reach,
  id: string,
): Promise<(Omit<Judgement, 'mixture'> & { at: string })[]> {
  // They compare all of its devices.
  if ((await get(db, reach, id)).beyondReach) return [];
  const rows = await query<{ at: string; judgement: Judgement }>(
    db,
    sql`select at, judgement from (
          select *, row_number() over (partition by signal order by at desc) - 1 as n, count(*) over (partition by signal) as "all"
          from health_judgements where deployment_id = ${id}) j
        where n % greatest(1, ceil("all" / ${shown}::float8)::bigint) = 0 order by signal, at`,
  );
  return rows.map(({ at, judgement: { mixture: _, ...rest } }) => ({
    ...rest,
    at: new Date(at).toISOString(),
  }));
}
