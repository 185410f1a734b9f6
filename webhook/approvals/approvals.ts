/** What waits for a second person: who may decide, on which dry run, and what comes of it. */
import { createHash } from 'node:crypto';
import { and, eq, type SQL, sql } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import { type Db, query } from '../db/query.ts';
import { anything, type Expected } from '../db/revision.ts';
import { foresee } from '../deployments/dry-run.ts';
import type { Means } from '../deployments/patching.ts';
import { ensureCovered, isCovered } from '../deployments/reached.ts';
import * as rollouts from '../deployments/rollouts.ts';
import type { DryRun } from '../deployments/schema.ts';
import { resolved } from '../deployments/selection.ts';
import { type DeploymentRow, deployments } from '../deployments/table.ts';
import { type Deployment, get, listWhere } from '../deployments/views.ts';
import { withPins } from '../devices/groups.ts';
import type { Reach } from '../devices/reach.ts';
import { AppError } from '../errors.ts';
import * as firmware from '../firmware/firmware.ts';
import type { Caller } from '../http.ts';
import { ensurePerson, ensureSecondPerson, isAuthor } from './second-person.ts';

/** What would happen now, and what is approved of it. */
export interface Proposal {
  digest: string;
  dryRun: DryRun;
}

/** Those that wait, and that the caller may decide; oldest first. A token may none. */
export async function listFor(db: Db, reach: Reach, caller: Caller): Promise<Deployment[]> {
  if (caller.userId === null) return [];
  const waiting = await listWhere(
    db,
    reach,
    and(eq(deployments.state, 'waiting_for_approval'), isCovered(reach))!,
  );
  const others = await Promise.all(waiting.map(async (one) => !(await isAuthor(db, one, caller))));
  return waiting.filter((_, i) => others[i]);
}

/** Throws `not_found`, `beyond_reach`, `not_waiting`. */
export async function propose(context: Context, reach: Reach, id: string): Promise<Proposal> {
  return context.db.transaction(
    async (tx) => {
      await ensureCovered(tx, reach, id, false);
      const { digest, dryRun } = await proposalOf(tx, context, await readWaiting(tx, id));
      return { digest, dryRun };
    },
    { isolationLevel: 'repeatable read' },
  );
}

/**
 * Starts it (at its time, if that is still to come). Errors: not_found, beyond_reach, not_waiting, approval_by_token,
 * approval_by_author, and dry_run_changed with the dry run as it is now.
 */
export async function approve(
  context: Context,
  reach: Reach,
  id: string,
  { digest, reason }: { digest: string; reason: string },
  caller: Caller,
  expected = anything,
): Promise<Deployment> {
  const approved = await context.db
    .transaction(async (tx) => {
      const row = await readDecidable(tx, reach, id, caller, expected);
      const proposal = await proposalOf(tx, context, row);
      if (proposal.digest !== digest) throw new Changed();
      await decide(tx, row, { outcome: 'approved', reason, digest }, caller.name);
      await rollouts.apply(tx, id, { type: 'approve' });
      // Its devices are those of this moment, unless it has a time of its own; somebody may have come to match since the dry run.
      await rollouts.apply(tx, id, { type: 'tick' });
      const chosen = await digestOfTargets(tx, id);
      if (chosen !== null && chosen !== proposal.devices) throw new Changed();
      const detail = { reason, digest, author: row.createdBy, targets: proposal.dryRun.targets };
      await record(tx, { actor: caller.name, action: 'deployment.approve', subject: id, detail });
      return true;
    })
    .catch((error: unknown) => {
      if (!(error instanceof Changed)) throw error;
      return false;
    });
  if (!approved)
    throw new AppError('dry_run_changed', 'The deployment would do something else by now: look again.', {
      data: { proposal: await propose(context, reach, id) },
    });
  context.wake();
  context.live.changed('deployment', id);
  return get(context.db, reach, id);
}

/** Ends it before it has begun. Errors as for `approve`. */
export async function refuse(
  context: Context,
  reach: Reach,
  id: string,
  reason: string,
  caller: Caller,
  expected = anything,
): Promise<Deployment> {
  await context.db.transaction(async (tx) => {
    const row = await readDecidable(tx, reach, id, caller, expected);
    await decide(tx, row, { outcome: 'refused', reason, digest: null }, caller.name);
    await rollouts.apply(tx, id, { type: 'refuse' });
    const detail = { reason, author: row.createdBy };
    await record(tx, { actor: caller.name, action: 'deployment.refuse', subject: id, detail });
  });
  context.live.changed('deployment', id);
  return get(context.db, reach, id);
}

/** It would do something else than was approved. */
class Changed extends Error {}

async function readDecidable(
  tx: Db,
  reach: Reach,
  id: string,
  caller: Caller,
  expected: Expected,
): Promise<DeploymentRow> {
  await ensureCovered(tx, reach, id, true, expected);
  ensurePerson(caller);
  const row = await readWaiting(tx, id);
  await ensureSecondPerson(tx, row, caller);
  return row;
}

async function readWaiting(tx: Db, id: string): Promise<DeploymentRow> {
  const [row] = await tx.select().from(deployments).where(eq(deployments.id, id));
  if (row?.state !== 'waiting_for_approval')
    throw new AppError('not_waiting', `The deployment does not wait for approval: it is ${row?.state}.`);
  return row;
}

async function decide(
  tx: Db,
  { id, approval }: DeploymentRow,
  decision: { outcome: 'approved' | 'refused'; reason: string; digest: string | null },
  by: string,
): Promise<void> {
  const made = { ...decision, by, at: new Date().toISOString() };
  await tx
    .update(deployments)
    .set({ approval: { rule: approval!.rule, decision: made } })
    .where(eq(deployments.id, id));
}

/**
 * The digest is over what it brings to whom and how, and not over what changes by itself all the time: who is online, how fast
 * downloads are, when a window opens next.
 */
async function proposalOf(tx: Db, means: Means, row: DeploymentRow): Promise<Proposal & { devices: string }> {
  const image = await firmware.get(tx, row.firmwareId);
  const { selection, freezeOverride, policy } = row;
  const meant = await withPins(tx, selection);
  const startAt = row.startAt?.toISOString() ?? null;
  const dryRun = await foresee(tx, means, {
    ...{ image, selection: meant, policy },
    startsAt: Math.max(Date.now(), row.startAt?.getTime() ?? 0),
    overridesFreeze: freezeOverride !== null,
    approval: row.approval?.rule ?? null,
  });
  const [devices] = await query<{ digest: string }>(
    tx,
    sql`select ${digestOf('id')} as digest from (${resolved(image, meant)}) r where reason is null`,
  );
  const { targets, excludedCounts, freezes } = dryRun;
  const told = {
    ...{ deployment: row.id, image: image.sha256, selection, policy, startAt, freezeOverride },
    ...{ targets, excludedCounts, devices: devices!.digest, freezes: freezes.map(({ id }) => id) },
    waves: dryRun.waves.map(({ total }) => total),
  };
  const digest = createHash('sha256').update(JSON.stringify(told)).digest('hex');
  return { digest, dryRun, devices: devices!.digest };
}

/** Null: its devices are not chosen yet. */
async function digestOfTargets(tx: Db, id: string): Promise<string | null> {
  const [row] = await query<{ state: string; digest: string }>(
    tx,
    sql`select state, (select ${digestOf('device_id')} from targets where deployment_id = d.id and state = 'pending') as digest
        from deployments d where id = ${id}::uuid`,
  );
  return row!.state === 'scheduled' ? null : row!.digest;
}

function digestOf(column: 'id' | 'device_id'): SQL {
  const id = sql.identifier(column);
  return sql`encode(sha256(convert_to(coalesce(string_agg(${id}, ',' order by ${id}), ''), 'UTF8')), 'hex')`;
}
