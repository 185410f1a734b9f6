/** What a deployment would do, before anything is written or sent. */
import { type SQL, sql } from 'drizzle-orm';
import { findRule } from '../approvals/rules.ts';
import type { ApprovalRule } from '../approvals/schema.ts';
import { type Db, query, sqlList } from '../db/query.ts';
import * as groups from '../devices/groups.ts';
import { type PresenceCounts, presenceCounts } from '../devices/presence.ts';
import { type Reach, reachOf } from '../devices/reach.ts';
import { defaultTimeZone } from '../devices/time-zone.ts';
import * as firmware from '../firmware/firmware.ts';
import * as freezes from '../freezes/freezes.ts';
import { presentFreeze } from '../freezes/schema.ts';
import { countAddedUp } from './added-up.ts';
import { foreseeNeeds } from './health/needs.ts';
import type { Selected } from './left-out.ts';
import { foreseePatches, type Means } from './patching.ts';
import { controlSize, cutWaves, type RolloutPolicy } from './policy.ts';
import { type DryRun, type Reason, reasons, type StartRequest, toPolicy } from './schema.ts';
import { countByReason, eligible, numberedWithControl, refuseNoMatch, resolved } from './selection.ts';
import { activeStates } from './states.ts';
import { type MaintenanceWindow, nextOpening } from './window.ts';

/** At most this many devices are named one by one, in each list. */
const shown = 1_000;
const foreseenMs = 30 * 86_400_000;
/** So many of the latest downloads make the measured rate. */
const measured = 1_000;

export async function dryRun(
  { db, ...means }: Means & { db: Db },
  reach: Reach,
  request: StartRequest,
): Promise<DryRun> {
  const { firmwareId, policy: asked, startAt, overrideFreeze, ...chosen } = request;
  const image = await firmware.get(db, firmwareId);
  const selection = await groups.withPins(db, await groups.pin(db, reach, chosen));
  const policy = toPolicy(asked);
  const counts = await countByReason(db, image, selection);
  refuseNoMatch(selection, counts, policy);
  return foresee(db, means, {
    ...{ image, selection, policy },
    startsAt: startAt === undefined ? Date.now() : Date.parse(startAt),
    overridesFreeze: overrideFreeze !== undefined,
    approval: await findRule(
      db,
      image.hardware,
      isFixed(policy, startAt) ? () => countAddedUp(db, image, selection) : null,
    ),
  });
}

/** How many devices get it is known when it is asked for: it starts now, and nobody joins. */
export function isFixed({ lateJoinersMs }: RolloutPolicy, startAt: string | undefined): boolean {
  return startAt === undefined && lateJoinersMs === null;
}

/** What one does that is known as it is kept. */
export async function foresee(
  db: Db,
  means: Means,
  {
    image,
    selection,
    policy,
    startsAt,
    overridesFreeze,
    approval,
  }: {
    image: firmware.Firmware;
    selection: Selected;
    policy: RolloutPolicy;
    startsAt: number;
    overridesFreeze: boolean;
    approval: ApprovalRule | null;
  },
): Promise<DryRun> {
  const counts = await countByReason(db, image, selection);
  const total = counts.get(null) ?? 0;
  const health = await foreseeHealth(db, policy, eligible(image, selection), total);
  const control = controlSize(policy.health, total);
  const cut = cutWaves(policy.waves, total, control);
  const waves: DryRun['waves'] = [];
  let start = 0;
  for (const { end } of cut) {
    const rows = await query<{ id: string }>(
      db,
      sql`select id from (${numberedWithControl(image, selection, policy, control)}) v
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
        where t.component = ${image.component} and t.state in ${sqlList(activeStates)}
        order by 1 limit ${shown}`,
  );
  const [presence] = await query<PresenceCounts>(
    db,
    sql`select ${presenceCounts(sql`d`)} from devices d
        join (${resolved(image, selection)}) r on r.id = d.id and r.reason is null`,
  );
  const measuredBytesPerSecond = await measure(db, reachOf(selection.reach ?? null), image.hardware);
  const downloadMs =
    measuredBytesPerSecond === null ? null : (image.sizeBytes / measuredBytesPerSecond) * 1000;
  const startsMs = (n: number) =>
    policy.ratePerMinute ? Math.floor((n - 1) / policy.ratePerMinute) * 60_000 : 0;
  return {
    approval,
    targets: total,
    presence: presence!,
    excluded,
    excludedCounts: Object.fromEntries(reasons.map((r) => [r, counts.get(r) ?? 0])) as Record<Reason, number>,
    underWay,
    waves,
    windows: policy.window
      ? await foreseeWindow(db, policy.window, sql`${resolved(image, selection)}`, startsAt)
      : [],
    ...(await foreseeFreezes(db, startsAt, overridesFreeze)),
    deferralMs: policy.deferralMs,
    atDeadline: policy.atDeadline,
    health,
    egressBytes: total * image.sizeBytes,
    ...(await foreseePatches(db, means, image, resolved(image, selection), total)),
    measuredBytesPerSecond,
    expectedMs:
      downloadMs === null
        ? null
        : waves.reduce((sum, wave, i) => {
            const watchedMs = Math.max(cut[i]!.gate.soakMs, policy.health?.minObservedMs ?? 0);
            const soakMs = i < waves.length - 1 ? watchedMs : 0;
            return sum + startsMs(wave.total) + downloadMs + soakMs;
          }, 0),
  };
}

async function foreseeFreezes(db: Db, now: number, overrides: boolean) {
  const until = overrides ? null : await freezes.frozenUntil(db, now);
  const ahead = await freezes.list(db, now, now + foreseenMs);
  return {
    frozenUntil: until === null ? null : new Date(until).toISOString(),
    freezes: ahead.map(presentFreeze),
  };
}

/** Null without a gate; throws when it could not work. Also for a start that is not dry. */
export async function foreseeHealth(
  db: Db,
  { health, waves }: RolloutPolicy,
  chosen: SQL,
  total: number,
): Promise<DryRun['health']> {
  if (!health) return null;
  const control = controlSize(health, total);
  const ends = cutWaves(waves, total, control).map(({ end }) => end);
  const wave = ends.findIndex((end) => end >= health.minDevices);
  const sizes = { total, control, treated: ends[wave] ?? 0 };
  const needs = await foreseeNeeds(db, health, chosen, sizes);
  return { seed: health.seed, control, judgedFromWave: wave, needs };
}

async function foreseeWindow(db: Db, window: MaintenanceWindow, chosen: SQL, now: number) {
  const zones = await query<{ timeZone: string; devices: number }>(
    db,
    sql`select coalesce(g.time_zone, ${defaultTimeZone}) as "timeZone", count(*)::int as devices
        from (${chosen}) r left join regions g on g.id = r.region_id
        where r.reason is null group by 1 order by 2 desc, 1`,
  );
  return zones.map((zone) => {
    const opensAt = nextOpening(window, zone.timeZone, now);
    return { ...zone, opensAt: opensAt === null || opensAt <= now ? null : new Date(opensAt).toISOString() };
  });
}

async function measure(db: Db, reach: Reach, hardware: string): Promise<number | null> {
  const [row] = await query<{ own: number | null; any: number | null }>(
    db,
    sql`select avg(rate) filter (where hardware = ${hardware}) as own, avg(rate) as any
        from (select t.total_bytes * 1000.0 / (t.stats->>'downloadMs')::float8 as rate, v.hardware
              from targets t join devices v on v.id = t.device_id and ${reach.on('v')}
              where t.state = 'succeeded' and (t.stats->>'downloadMs')::float8 > 0
              order by t.updated_at desc limit ${measured}) latest`,
  );
  const rate = row?.own ?? row?.any ?? null;
  return rate === null ? null : Number(rate);
}
