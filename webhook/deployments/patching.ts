/** What patches do for a deployment: what they would save before it starts, and what they have saved. */
import { type SQL, sql } from 'drizzle-orm';
import type { PatchFault } from '#emqx/protocol.ts';
import type { Context } from '../context.ts';
import { type Db, query } from '../db/query.ts';
import type { Reach } from '../devices/reach.ts';
import type { Firmware } from '../firmware/firmware.ts';
import { noBase, patchFormat } from '../firmware/patches/format.ts';
import { want } from '../firmware/patches/patches.ts';
import type { DryRun, PatchFigures } from './schema.ts';
import { wasPatched } from './table.ts';
import { get } from './views.ts';

/** Who signs patches, and what a megabyte costs: of this installation. */
export type Means = Pick<Context, 'signer' | 'transferPrice'>;

/**
 * Of the devices that `chosen` selects. Those for which no patch is known yet have theirs made where somebody signs it: elsewhere it is asked for
 * by name (`firmware/patches/signing.ts`).
 */
export async function foreseePatches(
  db: Db,
  { signer, transferPrice }: Means,
  image: Firmware,
  chosen: SQL,
  total: number,
): Promise<Pick<DryRun, 'patches' | 'cost'>> {
  const able = sql`
    select c.device_id, case when c.patch = ${patchFormat} then c.sha256 end as base, c.compressed
    from (${chosen}) r join components c on c.device_id = r.id and c.component = ${image.component}
    where r.reason is null and (c.patch = ${patchFormat} or c.compressed)`;
  const result = sql`${image.sha256}::text`;
  // What cannot come by patch comes compressed.
  const usable = sql`
    select distinct case
             when exists (select from firmwares f where f.sha256 = a.base)
               and not exists (select from patches p where p.base = a.base and p.result = ${result} and p.state in ('useless', 'failed')) then a.base
             when a.compressed then ${noBase} end as base,
           ${result} as result
    from (${able}) a`;
  if (signer) await want(db, sql`select base, result from (${usable}) u where base is not null`);
  const [row] = await query<Record<'devices' | 'compressed' | 'making' | 'unsigned' | 'saved', number>>(
    db,
    sql`select count(*) filter (where p.state = 'ready')::int as devices,
               count(*) filter (where p.state is distinct from 'ready' and z.state = 'ready')::int as compressed,
               count(*) filter (where 'wanted' in (p.state, z.state) and 'ready' not in (coalesce(p.state, ''), coalesce(z.state, '')))::int as making,
               count(*) filter (where 'unsigned' in (p.state, z.state) and 'ready' not in (coalesce(p.state, ''), coalesce(z.state, '')))::int as unsigned,
               coalesce(sum(${image.sizeBytes}::int - case when p.state = 'ready' then p.size_bytes when z.state = 'ready' then z.size_bytes end), 0)::float8
                 as saved
        from (${able}) a
        left join patches p on p.base = a.base and p.result = ${result}
        left join patches z on a.compressed and z.base = ${noBase} and z.result = ${result}`,
  );
  const { saved, ...patches } = row!;
  const whole = total * image.sizeBytes;
  const egressBytes = whole - saved;
  return {
    patches: { ...patches, egressBytes },
    cost: transferPrice
      ? {
          currency: transferPrice.currency,
          whole: (whole / 1e6) * transferPrice.perMegabyte,
          withPatches: (egressBytes / 1e6) * transferPrice.perMegabyte,
        }
      : null,
  };
}

/** As the devices have told it with their results. Throws not_found. */
export async function readPatchFigures(db: Db, reach: Reach, id: string): Promise<PatchFigures> {
  await get(db, reach, id);
  const rows = await query<{ patch: 'applied' | PatchFault; n: number; saved: number }>(
    db,
    sql`select stats->>'patch' as patch, count(*)::int as n,
               sum(greatest(total_bytes - (stats->>'receivedBytes')::bigint, 0))::float8 as saved
        from targets where deployment_id = ${id}::uuid and ${wasPatched}
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
