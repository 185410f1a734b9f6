/** Tells of devices whose certificate comes near its end: a device renews long before, so something keeps it from that. */
import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import type { Context } from '../context.ts';
import { type Db, query } from '../db/query.ts';
import { everything } from '../devices/reach.ts';
import { tell } from '../notifications/events.ts';
import { byRegion } from '../notifications/kinds.ts';
import { paced } from '../paced.ts';
import { urgent } from './inventory.ts';

const everyMs = 3_600_000;
const retryMs = 60_000;
const batch = 10_000;
/** Days before the end; 0: it has come. */
const stages = [0, 3, 14] as const;
type Stage = (typeof stages)[number];

export const createTellExpiring = () =>
  paced({ everyMs, retryMs }, async function tellExpiring({ db }: Context) {
    return (await tellExpiringOnce(db)) ? 'more' : 'done';
  });

/** Each certificate once a stage. Returns whether there may be more. */
export async function tellExpiringOnce(db: Db): Promise<boolean> {
  return db.transaction(async (tx) => {
    const due = await query<{ id: string; regionId: string | null; stage: Stage }>(
      tx,
      sql`with due as (
            select serial, case when not_after <= now() then 0
              when not_after <= now() + make_interval(days => ${stages[1]}::int) then ${stages[1]}::int else ${stages[2]}::int end as stage
            from ${urgent(everything, stages[2])}),
          taken as (
            select c.serial, due.stage from certificates c join due on due.serial = c.serial
            where c.expiry_told is null or c.expiry_told > due.stage
            order by c.serial limit ${batch} for no key update of c skip locked)
          update certificates c set expiry_told = taken.stage from taken where c.serial = taken.serial
          returning c.common_name as id, taken.stage,
            (select v.region_id from devices v where v.id = c.common_name) as "regionId"`,
    );
    const facts = stages.flatMap((withinDays) =>
      byRegion(due.filter((one) => one.stage === withinDays)).map(({ regionIds, data }) => ({
        kind: 'certificate_expiring' as const,
        severity: withinDays === 14 ? ('warning' as const) : ('critical' as const),
        key: `certificate_expiring/${randomUUID()}`,
        regionIds,
        data: { ...data, withinDays },
      })),
    );
    await tell(tx, facts);
    return due.length === batch;
  });
}

/**
 * Forgets at most `most` certificates that ended so many days ago, of holders that were given a newer one; returns how many. The last one of
 * each stays: a device whose certificate has expired comes back by its key.
 */
export async function forgetExpired(db: Db, days: number, most: number): Promise<number> {
  const [row] = await query<{ n: number }>(
    db,
    sql`with gone as (
          delete from certificates where serial = any(array(
            select c.serial from certificates c
            where c.not_after < now() - make_interval(days => ${days}::int)
              and exists (
                select from certificates newer
                where newer.common_name = c.common_name and newer.profile = c.profile and newer.not_after > c.not_after)
              and (c.revoked_at is null or c.revocation_confirmed_at is not null)
            limit ${most} for update of c skip locked))
          returning 1)
        select count(*)::int as n from gone`,
  );
  return row!.n;
}
