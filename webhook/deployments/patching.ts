/** What patches do for a deployment: what they would save before it starts, and what they have saved. */
import { type SQL, sql } from 'drizzle-orm';
import type { PatchFault } from '#emqx/protocol.ts';
import { type Db, query } from '../db/query.ts';
import type { Reach } from '../devices/reach.ts';
import type { Firmware } from '../firmware/firmware.ts';
import { patchFormat } from '../firmware/patches/format.ts';
import { want } from '../firmware/patches/patches.ts';
import type { DryRun, PatchFigures } from './schema.ts';
import { get } from './views.ts';

/** Of the devices that `chosen` selects; those for which no patch is known yet have theirs made. */
export async function foreseePatches(
  db: Db,
  image: Firmware,
  chosen: SQL,
  total: number,
): Promise<DryRun['patches']> {
  const able = sql`
    select c.sha256 as base, ${image.sha256}::text as result from (${chosen}) r
    join components c on c.device_id = r.id and c.component = ${image.component} and c.patch = ${patchFormat}
    where r.reason is null`;
  await want(db, able);
  const [row] = await query<{ devices: number; making: number; bytes: number }>(
    db,
    sql`select count(*) filter (where p.state = 'ready')::int as devices,
               count(*) filter (where p.state = 'wanted')::int as making,
               coalesce(sum(p.size_bytes) filter (where p.state = 'ready'), 0)::float8 as bytes
        from (${able}) a join patches p on p.base = a.base and p.result = a.result`,
  );
  const { devices, making, bytes } = row!;
  return { devices, making, egressBytes: (total - devices) * image.sizeBytes + bytes };
}

/** As the devices have told it with their results. Throws not_found. */
export async function readPatchFigures(db: Db, reach: Reach, id: string): Promise<PatchFigures> {
  await get(db, reach, id);
  const rows = await query<{ patch: 'applied' | PatchFault; n: number; saved: number }>(
    db,
    sql`select stats->>'patch' as patch, count(*)::int as n,
               sum(greatest(total_bytes - (stats->>'receivedBytes')::bigint, 0))::float8 as saved
        from targets where deployment_id = ${id}::uuid and stats->>'patch' is not null
          and ${reach.holds(sql`device_id`)} group by 1`,
  );
  const applied = rows.find(({ patch }) => patch === 'applied');
  const faults = rows.filter(({ patch }) => patch !== 'applied');
  return {
    applied: applied?.n ?? 0,
    fellBack: faults.reduce((sum, { n }) => sum + n, 0),
    faults: Object.fromEntries(faults.map(({ patch, n }) => [patch, n])),
    savedBytes: applied?.saved ?? 0,
  };
}
