/** Deployments as pages and scripts see them: what the machine remembers beside what has become of the targets. */
import { and, between, count, desc, eq, inArray, or, type SQL, sql } from 'drizzle-orm';
import { down, Order, type Paging, readPage, up } from '../db/keyset.ts';
import type { Db } from '../db/query.ts';
import type { Reach } from '../devices/reach.ts';
import { AppError } from '../errors.ts';
import { firmwares } from '../firmware/table.ts';
import { soakEndsAt } from './health/windows.ts';
import { defaultRollout } from './policy.ts';
import { isCovered, isThere, noDeployment, withinReach } from './reached.ts';
import { joinersUntil, nothing, type Rollout, type RolloutState, sum, type Tally } from './rollout.ts';
import * as rollouts from './rollouts.ts';
import type { WaveView } from './schema.ts';
import { type TargetState, targetStates } from './states.ts';
import { deployments } from './table.ts';
import { readTallies } from './tallies.ts';

export function undone(): AppError {
  return new AppError('deployment_undone', 'The deployment has been undone.');
}

const summaryColumns = (reach: Reach) => ({
  beyondReach: sql<boolean>`not ${isCovered(reach)}`,
  id: deployments.id,
  state: deployments.state,
  createdBy: deployments.createdBy,
  authorId: deployments.authorId,
  approval: deployments.approval,
  createdAt: deployments.createdAt,
  finishedAt: deployments.finishedAt,
  targetsForgottenAt: deployments.targetsForgottenAt,
  revision: deployments.revision,
  startAt: deployments.startAt,
  policy: deployments.policy,
  memory: deployments.memory,
  selection: deployments.selection,
  undoes: deployments.undoes,
  undoneBy: sql<
    string | null
  >`(select u.id from deployments u where u.undoes = "deployments"."id" and u.state <> 'cancelled')`,
  windowOpensAt: deployments.windowOpensAt,
  frozenUntil: deployments.frozenUntil,
  freezeOverride: deployments.freezeOverride,
  firmware: {
    id: firmwares.id,
    name: firmwares.name,
    version: firmwares.version,
    fileName: firmwares.fileName,
    sizeBytes: firmwares.sizeBytes,
    component: firmwares.component,
    hardware: firmwares.hardware,
  },
});

export type Deployment = Awaited<ReturnType<typeof summarize>>[number];

export async function get(db: Db, reach: Reach, id: string): Promise<Deployment> {
  const where = and(eq(deployments.id, id), isThere(reach));
  const [row] = await summarize(db, reach, await summaries(db, reach).where(where));
  if (!row) throw noDeployment();
  return row;
}

const newest = new Order('deployments', [down(deployments.createdAt), up(deployments.id)]);

export async function list(
  db: Db,
  reach: Reach,
  { limit = 1000, ...paging }: Omit<Paging, 'limit'> & { limit?: number | undefined },
): Promise<{ items: Deployment[]; total: number; next: string | null }> {
  const { rows, next } = await readPage(newest, { limit, ...paging }, (behind, some, offset) =>
    db
      .select({ ...summaryColumns(reach), key: newest.key })
      .from(deployments)
      .innerJoin(firmwares, eq(firmwares.id, deployments.firmwareId))
      .where(and(isThere(reach), behind))
      .orderBy(...newest.by)
      .limit(some)
      .offset(offset),
  );
  const [total] = await db.select({ value: count() }).from(deployments).where(isThere(reach));
  return { items: await summarize(db, reach, rows), total: total!.value, next };
}

/** Oldest first. */
export async function listWhere(db: Db, reach: Reach, where: SQL): Promise<Deployment[]> {
  const rows = await summaries(db, reach)
    .where(and(where, isThere(reach)))
    .orderBy(deployments.createdAt)
    .limit(1000);
  return summarize(db, reach, rows);
}

export interface FoundDeployment {
  id: string;
  state: RolloutState;
  createdAt: Date;
  firmware: { name: string; version: string };
}

/** By the beginning of the id, or of these firmwares; newest first. */
export async function find(
  db: Db,
  reach: Reach,
  text: string,
  firmwareIds: string[],
  limit: number,
): Promise<FoundDeployment[]> {
  return db
    .select({
      id: deployments.id,
      state: deployments.state,
      createdAt: deployments.createdAt,
      firmware: { name: firmwares.name, version: firmwares.version },
    })
    .from(deployments)
    .innerJoin(firmwares, eq(firmwares.id, deployments.firmwareId))
    .where(and(or(inArray(deployments.firmwareId, firmwareIds), idBegins(text)), isThere(reach)))
    .orderBy(desc(deployments.createdAt))
    .limit(limit);
}

/** A UUID that begins so lies between the least and the greatest that do. */
function idBegins(text: string) {
  const digits = text.replaceAll('-', '').toLowerCase();
  if (!/^[0-9a-f]{4,32}$/.test(digits)) return undefined;
  return between(deployments.id, digits.padEnd(32, '0'), digits.padEnd(32, 'f'));
}

export async function listForFirmware(db: Db, reach: Reach, firmwareId: string): Promise<Deployment[]> {
  const rows = await summaries(db, reach)
    .where(and(eq(deployments.firmwareId, firmwareId), isThere(reach)))
    .orderBy(desc(deployments.createdAt))
    .limit(100);
  return summarize(db, reach, rows);
}

function summaries(db: Db, reach: Reach) {
  return db
    .select(summaryColumns(reach))
    .from(deployments)
    .innerJoin(firmwares, eq(firmwares.id, deployments.firmwareId))
    .$dynamic();
}

async function summarize(db: Db, reach: Reach, rows: Awaited<ReturnType<typeof summaries>>) {
  if (rows.length === 0) return [];
  const tallies = await readTallies(
    db,
    reach,
    rows.map((row) => row.id),
  );
  return rows.map((row) => {
    const mine = tallies.filter((t) => t.id === row.id);
    const counts = Object.fromEntries(targetStates.map((s) => [s, 0])) as Record<TargetState, number>;
    for (const t of mine) counts[t.state] += t.n;
    const done = mine.filter((t) => t.state === 'succeeded');
    const timed = sum(done, (t) => t.timed);
    const { succeeded } = counts;
    const ended = succeeded + counts.failed + counts.rolled_back + counts.timed_out;
    const { memory, windowOpensAt, frozenUntil, ...rest } = row;
    const until = joinersUntil({ policy: row.policy, resolvedAt: memory.resolvedAt });
    const { halted } = memory;
    return {
      ...rest,
      selection: row.beyondReach ? withinReach(reach, row.selection) : row.selection,
      policy: { ...defaultRollout, ...row.policy },
      joinersUntil: until === null ? null : new Date(until).toISOString(),
      windowOpensAt: row.state === 'running' ? (windowOpensAt?.toISOString() ?? null) : null,
      frozenUntil: row.state === 'running' ? (frozenUntil?.toISOString() ?? null) : null,
      waves: describeWaves(rollouts.toRollout(row), rollouts.toTallies(mine)),
      // Its words count devices that are beyond the reach, too.
      halted: halted && {
        ...halted,
        message: row.beyondReach ? '' : halted.message,
        at: new Date(halted.at).toISOString(),
      },
      total: sum(mine, (t) => t.n),
      counts,
      figures: {
        successRate: ended ? succeeded / ended : null,
        meanDownloadMs: timed ? sum(done, (t) => t.downloadMs) / timed : null,
        resumedDownloads: sum(mine, (t) => t.resumed),
      },
    };
  });
}

export function present({ authorId: _, ...d }: Deployment) {
  return {
    ...d,
    createdAt: d.createdAt.toISOString(),
    startAt: d.startAt?.toISOString() ?? null,
    finishedAt: d.finishedAt?.toISOString() ?? null,
    targetsForgottenAt: d.targetsForgottenAt?.toISOString() ?? null,
  };
}

function describeWaves(rollout: Rollout, tallies: Tally[]): WaveView[] {
  return (rollout.gates ?? []).map(({ control = false, ...gate }, wave) => {
    const { left, timedOut, unreached: _, lost: __, ...tally } = tallies[wave] ?? nothing;
    const soaks = wave === rollout.wave && rollout.soakSince !== null;
    const passed = wave < rollout.wave || rollout.state === 'completed';
    return {
      ...gate,
      control,
      ...tally,
      timedOut,
      skipped: left,
      total: tally.pending + tally.active + tally.succeeded + tally.failed + timedOut + left,
      state: passed ? 'passed' : soaks ? 'soaking' : wave === rollout.wave ? 'open' : 'waiting',
      soakUntil: soaks ? new Date(soakEndsAt(rollout)!).toISOString() : null,
    };
  });
}
