/** How many targets of a deployment are where, without counting them: `target_tallies` follows `targets` by triggers. */
import { type SQL, sql } from 'drizzle-orm';
import { anyOf, type Db, query, sqlList } from '../db/query.ts';
import type { Reach } from '../devices/reach.ts';
import type { TargetState } from './states.ts';

/** Targets of one wave (-1: skipped when it started) and state. */
export type TallyRow = {
  id: string;
  wave: number;
  state: TargetState;
  n: number;
  /** Their device got the command and was not heard of, for good or until the next attempt. */
  silent: number;
  /** With a download time, and its sum. */
  timed: number;
  downloadMs: number;
  /** Their download broke off and went on. */
  resumed: number;
};

/**
 * Rows as `target_tallies` has them, to be summed. Within a limited reach they are counted: one for each target, by the words of
 * the triggers (migration `0001`), which `tallies.test.ts` holds them to.
 */
export function talliesWithin(reach: Reach): SQL {
  if (reach.limits === null) return sql`target_tallies`;
  return sql`(
    select t.deployment_id, t.wave, t.state, 1 as n,
      (t.state = 'timed_out' or (t.state = 'pending' and t.error_code = 'timed_out' and t.attempt > t.attempts_forgiven))::int as silent,
      (s.ms is not null)::int as timed, coalesce(s.ms, 0) as download_ms, s.resumes::int as resumed,
      (t.state in ${sqlList(['failed', 'timed_out'] satisfies TargetState[])} and not s.resumes
        and t.received_bytes > 0 and t.received_bytes < t.total_bytes)::int as broken_off,
      (t.state = 'timed_out' and t.total_bytes > 0 and t.received_bytes >= t.total_bytes)::int as lost
    from targets t join devices v on v.id = t.device_id and ${reach.on('v')},
      lateral (select round((t.stats->>'downloadMs')::numeric)::bigint as ms,
        coalesce((t.stats->>'resumes')::int, 0) > 0 as resumes) s)`;
}

export async function readTallies(db: Db, reach: Reach, deploymentIds: string[]): Promise<TallyRow[]> {
  return query<TallyRow>(
    db,
    sql`select deployment_id as id, wave, state, sum(n)::int as n, coalesce(sum(silent), 0)::int as silent, sum(timed)::int as timed,
          sum(download_ms)::float8 as "downloadMs", sum(resumed)::int as resumed
        from ${talliesWithin(reach)} tallies
        where deployment_id ${anyOf(deploymentIds, 'uuid')}
        group by 1, 2, 3 having sum(n) <> 0`,
  );
}

/** Rows that one deployment may have before they are gathered. */
const gatherFrom = 250;

/** Makes one row of those of each wave and state, when they have become many. The deployment's row must be locked. */
export async function gatherTallies(tx: Db, deploymentId: string): Promise<void> {
  await tx.execute(sql`
    with gone as (
      delete from target_tallies where deployment_id = ${deploymentId}
        and (select count(*) from target_tallies where deployment_id = ${deploymentId}) >= ${gatherFrom}
      returning *)
    insert into target_tallies (deployment_id, wave, state, n, silent, timed, download_ms, resumed, broken_off, lost)
    select deployment_id, wave, state, sum(n), sum(silent), sum(timed), sum(download_ms), sum(resumed), sum(broken_off), sum(lost)
    from gone group by deployment_id, wave, state having sum(n) <> 0`);
}
