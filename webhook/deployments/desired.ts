/** Which version the devices of a group should run, beside what they attest: by their pins, or by the newest deployment that was for each. */
import { z } from '@hono/zod-openapi';
import { sql } from 'drizzle-orm';
import { mainComponent } from '#emqx/protocol.ts';
import { type Db, query, sqlList } from '../db/query.ts';
import { getGroup, listPins } from '../devices/groups.ts';
import { compile } from '../devices/query/compile.ts';
import { parseQuery } from '../devices/query/grammar.ts';
import { devices, hasDrifted } from '../devices/table.ts';
import { channelOf, pinOf } from './left-out.ts';
import type { TargetState } from './states.ts';

const shown = 200;

export const desiredSchema = z
  .object({
    devices: z.int(),
    /** They attest another image than their last update left there: the list is `(the group's query) and drifted = yes`. */
    drifted: z.int(),
    /** Of the main component, those of most devices first, at most 200. */
    versions: z.array(
      z.object({
        hardware: z.string(),
        channel: z.string(),
        /** Null: no deployment was for them yet. */
        version: z.string().nullable(),
        by: z.enum(['pin', 'deployment']).nullable(),
        /** The newest of them. */
        deployment: z.uuid().nullable(),
        devices: z.int(),
        /** They attest it: a deployment's by its digest, a pin's by the version. */
        attested: z.int(),
        drifted: z.int(),
      }),
    ),
  })
  .openapi('DesiredVersions');
export type DesiredVersions = z.infer<typeof desiredSchema>;

/** A deployment that was cancelled before a device got it, skipped it, or is undone, wants nothing of it. */
const newest = sql`
  select f.version, f.sha256, d.id, d.created_at from targets t
    join deployments d on d.id = t.deployment_id join firmwares f on f.id = d.firmware_id
  where t.device_id = ${devices.id} and t.component = ${mainComponent}
    and (t.state not in ${sqlList(['cancelled', 'skipped'] satisfies TargetState[])} or t.error_code = 'up_to_date')
    and not exists (select 1 from deployments u where u.undoes = d.id and u.state <> 'cancelled')
  order by d.created_at desc, d.id desc limit 1`;

/** Throws `not_found`, and QueryError for a group that cannot be read any more. */
export async function readDesired(db: Db, groupId: string): Promise<DesiredVersions> {
  const group = await getGroup(db, groupId);
  const pins = await listPins(db);
  const pin = pinOf(pins);
  const rows = await query<DesiredVersions['versions'][number] & { all: number; allDrifted: number }>(
    db,
    sql`
    with mine as (
      select ${devices.hardware} as hardware, ${channelOf(pins)} as channel, ${pin} as pinned,
        w.version, w.id as deployment, w.created_at, coalesce(c.drifted, false) as drifted,
        coalesce(case when ${pin} is null then c.sha256 = w.sha256 else c.version = ${pin} end, false) as attested
      from ${devices}
        left join lateral (
          select version, sha256, ${hasDrifted} as drifted from components
          where device_id = ${devices.id} and component = ${mainComponent}) c on true
        left join lateral (${newest}) w on ${pin} is null
      where ${compile(parseQuery(group.query))})
    select hardware, channel, coalesce(pinned, version) as version,
      case when pinned is not null then 'pin' when version is not null then 'deployment' end as by,
      (array_agg(deployment order by created_at desc nulls last))[1] as deployment,
      count(*)::int as devices, (count(*) filter (where attested))::int as attested, (count(*) filter (where drifted))::int as drifted,
      (sum(count(*)) over ())::int as "all", (sum(count(*) filter (where drifted)) over ())::int as "allDrifted"
    from mine group by 1, 2, 3, 4 order by devices desc, hardware, channel, version limit ${shown}`,
  );
  return {
    devices: rows[0]?.all ?? 0,
    drifted: rows[0]?.allDrifted ?? 0,
    versions: rows.map(({ all: _, allDrifted: __, ...row }) => row),
  };
}
