/** What a deployment would do, before anything is written or sent. */
import { sql } from 'drizzle-orm';
import { type Db, query } from '../db/connect.ts';
import * as firmware from '../firmware/firmware.ts';
import { cutWaves } from './policy.ts';
import { type DryRun, type StartRequest, toPolicy } from './schema.ts';
import { countByReason, numbered, type Reason, resolved } from './selection.ts';

/** At most this many devices are named one by one, in each list. */
const shown = 1_000;
/** So many of the latest downloads make the measured rate. */
const measured = 1_000;

export async function dryRun(db: Db, request: StartRequest): Promise<DryRun> {
  const { firmwareId, policy: asked, startAt: _, ...selection } = request;
  const image = await firmware.get(db, firmwareId);
  const policy = toPolicy(asked);
  const counts = await countByReason(db, image, selection);
  const total = counts.get(null) ?? 0;
  const cut = cutWaves(policy.waves, total);
  const waves: DryRun['waves'] = [];
  let start = 0;
  for (const { end } of cut) {
    const rows = await query<{ id: string }>(
      db,
      sql`select id from (${numbered(image, selection)}) v
          where n > ${start}::int and n <= ${Math.min(end, start + shown)}::int order by n`,
    );
    waves.push({ total: end - start, devices: rows.map((row) => row.id) });
    start = end;
  }
  const excluded = await query<{ device: string; reason: Reason }>(
    db,
    sql`select id as device, reason from (${resolved(image, selection)}) r
        where reason is not null order by id limit ${shown}`,
  );
  const underWay = await query<{ device: string; deployment: string }>(
    db,
    sql`select t.device_id as device, t.deployment_id as deployment from targets t
        join (${resolved(image, selection)}) r on r.id = t.device_id and r.reason is null
        where t.component = ${image.component} and t.state in ('sent', 'accepted', 'downloading', 'installing', 'cancelling')
        order by 1 limit ${shown}`,
  );
  const measuredBytesPerSecond = await measure(db, image.hardware);
  const downloadMs =
    measuredBytesPerSecond === null ? null : (image.sizeBytes / measuredBytesPerSecond) * 1000;
  const startsMs = (n: number) =>
    policy.ratePerMinute ? Math.floor((n - 1) / policy.ratePerMinute) * 60_000 : 0;
  return {
    targets: total,
    excluded,
    excludedCounts: {
      other_hardware: counts.get('other_hardware') ?? 0,
      up_to_date: counts.get('up_to_date') ?? 0,
      downgrade: counts.get('downgrade') ?? 0,
    },
    underWay,
    waves,
    egressBytes: total * image.sizeBytes,
    measuredBytesPerSecond,
    expectedMs:
      downloadMs === null
        ? null
        : waves.reduce((sum, wave, i) => {
            const soakMs = i < waves.length - 1 ? cut[i]!.gate.soakMs : 0;
            return sum + startsMs(wave.total) + downloadMs + soakMs;
          }, 0),
  };
}

async function measure(db: Db, hardware: string): Promise<number | null> {
  const [row] = await query<{ own: number | null; any: number | null }>(
    db,
    sql`select avg(rate) filter (where hardware = ${hardware}) as own, avg(rate) as any
        from (select t.total_bytes * 1000.0 / (t.stats->>'downloadMs')::float8 as rate, v.hardware
              from targets t join devices v on v.id = t.device_id
              where t.state = 'succeeded' and (t.stats->>'downloadMs')::float8 > 0
              order by t.updated_at desc limit ${measured}) latest`,
  );
  const rate = row?.own ?? row?.any ?? null;
  return rate === null ? null : Number(rate);
}
