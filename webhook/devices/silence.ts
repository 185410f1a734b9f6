/** Tells of devices that have been away for long, each once until it is heard again. */
import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import type { Context } from '../context.ts';
import { type Db, query } from '../db/query.ts';
import { tell } from '../notifications/events.ts';
import { byRegion } from '../notifications/kinds.ts';
import { paced } from '../paced.ts';

const everyMs = 300_000;
/** After a start, who is connected is first compared with the broker (`reconcile.ts`). */
const firstMs = 300_000;
const batch = 10_000;
export const defaultSilentHours = 24;

export const createTellSilent = () =>
  paced({ everyMs, firstMs }, async function tellSilent({ db, silentHours = defaultSilentHours }: Context) {
    return (await tellSilentOnce(db, silentHours)) ? 'more' : 'done';
  });

/** Returns whether there may be more. A device that never came is not silent, and one that is banned is meant to be. */
export async function tellSilentOnce(db: Db, hours: number): Promise<boolean> {
  return db.transaction(async (tx) => {
    const silent = await query<{ id: string; regionId: string | null }>(
      tx,
      sql`with silent as (
            select id from devices
            where not online and not blocked and last_seen_at < now() - make_interval(hours => ${hours}::int)
              and (silence_told_at is null or silence_told_at < last_seen_at)
            order by id limit ${batch} for no key update skip locked)
          update devices d set silence_told_at = now() from silent where d.id = silent.id
          returning d.id, d.region_id as "regionId"`,
    );
    const facts = byRegion(silent).map(({ regionIds, data }) => ({
      kind: 'device_silent' as const,
      severity: 'warning' as const,
      key: `device_silent/${randomUUID()}`,
      regionIds,
      data: { ...data, hours },
    }));
    await tell(tx, facts);
    return silent.length === batch;
  });
}
