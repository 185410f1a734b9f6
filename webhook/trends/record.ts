/** What is written down so that pictures can show how it came about. Safe in any number of copies: whoever comes second writes nothing. */
import { sql } from 'drizzle-orm';
import type { Context } from '../context.ts';
import type { Db } from '../db/query.ts';
import { presenceCounts } from '../devices/presence.ts';
import { type Outcome, paced } from '../paced.ts';

export const keptDays = 31;
const versionsKept = 6;

/**
 * A moment of each deployment whose counts have changed. The older it is the rarer (a hundredth of its age), so that a rollout of
 * weeks has no more rows than one of minutes has points; its last state is always there.
 */
export async function recordMoments(db: Db): Promise<void> {
  await db.execute(sql`
    insert into deployment_moments (deployment_id, at, counts)
    select d.id, date_trunc('second', now()), tally.counts from deployments d
    cross join lateral (
      select jsonb_object_agg(state, n) as counts from (
        select state, sum(n)::int as n from target_tallies where deployment_id = d.id group by state having sum(n) <> 0) s
    ) tally
    left join lateral (
      select at, counts from deployment_moments m where m.deployment_id = d.id order by at desc limit 1) latest on true
    where (d.finished_at is null or d.finished_at > now() - interval '1 hour') and d.state not in ('scheduled', 'waiting_for_approval')
      and tally.counts is not null and tally.counts is distinct from latest.counts
      and (latest.at is null or d.finished_at is not null
        or now() - latest.at >= (now() - coalesce(d.start_at, d.created_at)) / 100)
    on conflict do nothing`);
}

/** This hour, unless it is there. */
export async function recordHour(db: Db): Promise<void> {
  await db.execute(sql`
    insert into fleet_hours (hour, total, online, versions)
    select now_hour, d.total, d.online, coalesce(v.versions, '{}') from (select date_trunc('hour', now()) as now_hour) h
    cross join lateral (select count(*)::int as total, ${presenceCounts(sql`devices`)} from devices) d
    cross join lateral (
      select jsonb_object_agg(version, devices) as versions from (
        select version, count(*)::int as devices from components where component = 'main'
        group by version order by 2 desc, 1 limit ${versionsKept}) c
    ) v
    where not exists (select from fleet_hours f where f.hour = h.now_hour)
    on conflict do nothing`);
  await db.execute(sql`delete from fleet_hours where hour < now() - make_interval(days => ${keptDays})`);
}

export const createRecordMoments = () =>
  paced({ everyMs: 2_000 }, async function recordDeployments({ db }: Context): Promise<Outcome> {
    await recordMoments(db);
    return 'done';
  });

export const createRecordHour = () =>
  paced({ everyMs: 60_000 }, async function recordFleet({ db }: Context): Promise<Outcome> {
    await recordHour(db);
    return 'done';
  });
