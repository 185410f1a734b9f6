/** The whole fleet in a few set-based statements: a reader of several features' tables, like `metrics/fleet.ts`. */
import { sql } from 'drizzle-orm';
import { countExpiring, type ExpiryCounts } from '../certificates/inventory.ts';
import { type Db, query, sqlList } from '../db/query.ts';
import { isThere } from '../deployments/reached.ts';
import type { HaltReason } from '../deployments/rollout.ts';
import { failedStates, type TargetState } from '../deployments/states.ts';
import { talliesWithin } from '../deployments/tallies.ts';
import { countDrifted } from '../devices/expected.ts';
import type { Reach } from '../devices/reach.ts';
import { countFleet, runningCounts } from '../devices/tallies.ts';

/** Updates of deployments made within these days make the figures; what failed longer ago no longer needs attention. */
export const figureDays = 30;
export const attentionDays = 7;
const versionsShown = 12;
const deploymentsShown = 8;

const bad = sqlList(failedStates);

export interface Overview {
  /** `sleeping`: seen before, and offline now. */
  devices: {
    total: number;
    online: number;
    sleeping: number;
    neverSeen: number;
    failing: number;
    degraded: number;
    drifted: number;
  };
  /** By image (two builds may bear one version), the most frequent first; `others` counts the devices of versions that are not listed, `unreported` those that have not said what they run. */
  versions: {
    items: { component: string; version: string; sha256: string; devices: number; firmware: string | null }[];
    others: number;
    unreported: number;
  };
  updates: Updates;
  certificates: ExpiryCounts;
  deadLetters: { total: number; latestAt: string | null };
  deployments: { running: number; scheduled: number; paused: number; halted: number; waiting: number };
  /** For a second person, the oldest first. */
  waiting: { id: string; firmware: string; version: string; author: string; since: string }[];
  halted: {
    id: string;
    firmware: string;
    version: string;
    reason: HaltReason | null;
    at: string | null;
    waiting: number;
  }[];
  /** Deployments with failing devices, halted ones aside; the newest first. */
  failing: { id: string; firmware: string; version: string; devices: number }[];
}
/** Of updates that have ended. */
interface Updates {
  ended: number;
  succeeded: number;
  meanDownloadMs: number | null;
  /** Downloads that broke off at least once, and those of them that went on to the end. */
  interrupted: number;
  resumed: number;
  /** Devices back on their old image after a bad one, and devices that never came back after the installation. */
  rolledBack: number;
  lost: number;
}

export async function read(db: Db, reach: Reach): Promise<Overview> {
  const [
    { unreported, ...devices },
    drifted,
    versions,
    updates,
    certificates,
    letters,
    deployments,
    waiting,
    halted,
    failing,
  ] = await Promise.all([
    countFleet(db, reach),
    countDrifted(db, reach),
    readVersions(db, reach),
    readUpdates(db, reach),
    countExpiring(db, reach),
    readLetters(db, reach),
    readDeployments(db, reach),
    readWaiting(db, reach),
    readHalted(db, reach),
    readFailing(db, reach),
  ]);
  return {
    devices: { ...devices, drifted },
    versions: { ...versions, unreported },
    updates,
    certificates,
    deadLetters: letters,
    deployments,
    waiting,
    halted,
    failing,
  };
}

async function readVersions(db: Db, reach: Reach): Promise<Omit<Overview['versions'], 'unreported'>> {
  const rows = await query<{
    component: string;
    version: string;
    sha256: string;
    devices: number;
    firmware: string | null;
    all: number;
  }>(
    db,
    sql`with counted as (${runningCounts(reach)})
        select component, version, sha256, devices, sum(devices) over ()::int as "all",
          (select id from firmwares f where f.sha256 = counted.sha256 order by created_at desc limit 1) as firmware
        from counted order by devices desc, component, version, sha256 limit ${versionsShown}`,
  );
  const listed = rows.reduce((sum, row) => sum + row.devices, 0);
  return {
    items: rows.map(({ all, ...row }) => row),
    others: (rows[0]?.all ?? 0) - listed,
  };
}

async function readUpdates(db: Db, reach: Reach): Promise<Updates> {
  const [row] = await query<{ [K in keyof Updates]: Updates[K] }>(
    db,
    sql`select coalesce(sum(n), 0)::int as "ended", coalesce(sum(n) filter (where t.state = 'succeeded'), 0)::int as "succeeded",
          (sum(download_ms) filter (where t.state = 'succeeded') / nullif(sum(timed) filter (where t.state = 'succeeded'), 0))::float8
            as "meanDownloadMs",
          coalesce(sum(resumed + broken_off), 0)::int as "interrupted",
          coalesce(sum(resumed) filter (where t.state in ${sqlList(['succeeded', 'rolled_back'] satisfies TargetState[])}), 0)::int as "resumed",
          coalesce(sum(n) filter (where t.state = 'rolled_back'), 0)::int as "rolledBack",
          coalesce(sum(lost), 0)::int as "lost"
        from ${talliesWithin(reach)} t join deployments d on d.id = t.deployment_id
        where d.created_at > now() - make_interval(days => ${figureDays}) and (t.state = 'succeeded' or t.state in ${bad})`,
  );
  return row!;
}

async function readLetters(db: Db, reach: Reach): Promise<Overview['deadLetters']> {
  const [row] = await query<{ total: number; latest: string | Date | null }>(
    db,
    sql`select count(*)::int as total, max(received_at) as latest from dead_letters where ${reach.limits === null}::boolean`,
  );
  return { total: row!.total, latestAt: row!.latest === null ? null : new Date(row!.latest).toISOString() };
}

async function readDeployments(db: Db, reach: Reach): Promise<Overview['deployments']> {
  const rows = await query<{ state: string; n: number }>(
    db,
    sql`select state, count(*)::int as n from deployments
        where finished_at is null and ${isThere(reach)} group by state`,
  );
  const of = (state: string) => rows.find((row) => row.state === state)?.n ?? 0;
  return {
    running: of('running'),
    scheduled: of('scheduled'),
    paused: of('paused'),
    halted: of('halted'),
    waiting: of('waiting_for_approval'),
  };
}

async function readWaiting(db: Db, reach: Reach): Promise<Overview['waiting']> {
  const rows = await query<Overview['waiting'][number]>(
    db,
    sql`select d.id, f.name as firmware, f.version, d.created_by as author, d.created_at as since
        from deployments d join firmwares f on f.id = d.firmware_id
        where d.state = 'waiting_for_approval' and d.finished_at is null and ${isThere(reach, 'd')}
        order by d.created_at limit ${deploymentsShown}`,
  );
  return rows.map((row) => ({ ...row, since: new Date(row.since).toISOString() }));
}

async function readHalted(db: Db, reach: Reach): Promise<Overview['halted']> {
  const rows = await query<{
    id: string;
    firmware: string;
    version: string;
    reason: HaltReason | null;
    at: number | null;
    waiting: number;
  }>(
    db,
    sql`select d.id, f.name as firmware, f.version, d.memory->'halted'->>'reason' as reason,
          (d.memory->'halted'->>'at')::float8 as at,
          (select coalesce(sum(n), 0)::int from ${talliesWithin(reach)} t where t.deployment_id = d.id and t.state = 'pending') as waiting
        from deployments d join firmwares f on f.id = d.firmware_id
        where d.state = 'halted' and d.finished_at is null and ${isThere(reach, 'd')} order by d.created_at desc limit ${deploymentsShown}`,
  );
  return rows.map((row) => ({ ...row, at: row.at === null ? null : new Date(row.at).toISOString() }));
}

async function readFailing(db: Db, reach: Reach): Promise<Overview['failing']> {
  return query(
    db,
    sql`select d.id, f.name as firmware, f.version, sum(n)::int as devices
        from deployments d join ${talliesWithin(reach)} t on t.deployment_id = d.id and t.state in ${bad}
        join firmwares f on f.id = d.firmware_id
        where d.created_at > now() - make_interval(days => ${attentionDays}) and d.state <> 'halted'
        group by d.id, f.id having sum(n) > 0 order by d.created_at desc limit ${deploymentsShown}`,
  );
}
