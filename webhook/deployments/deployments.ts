/** What operators do with deployments; `rollouts.ts` moves them on afterwards. */
import { randomUUID } from 'node:crypto';
import { eq, sql } from 'drizzle-orm';
import { mainComponent } from '#emqx/protocol.ts';
import { findRule } from '../approvals/rules.ts';
import { ensureSecondPerson } from '../approvals/second-person.ts';
import { record } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import type { Db } from '../db/query.ts';
import { anything } from '../db/revision.ts';
import * as groups from '../devices/groups.ts';
import type { Reach } from '../devices/reach.ts';
import { AppError } from '../errors.ts';
import * as firmware from '../firmware/firmware.ts';
import type { Caller } from '../http.ts';
import { countAddedUp, lockImage } from './added-up.ts';
import { foreseeHealth, isFixed } from './dry-run.ts';
import { tellWaiting } from './outcome.ts';
import { ensureCovered, noDeployment } from './reached.ts';
import { createRollout, type RolloutState } from './rollout.ts';
import * as rollouts from './rollouts.ts';
import { type Reason, type StartRequest, toPolicy } from './schema.ts';
import { countByReason, eligible, refuseNoMatch } from './selection.ts';
import { deployments } from './table.ts';
import { type Deployment, get, undone } from './views.ts';

/** By whom a deployment is asked for, and whether it waits for a second person where a rule says so. */
export interface Asking {
  authorId?: string | null;
  waits?: boolean;
}

/** Resolves the selection (at its start time, if it has one) and starts: commands follow as waves open and devices can be reached. */
export async function start(
  context: Context,
  reach: Reach,
  request: StartRequest,
  actor: string,
  asking: Asking = {},
): Promise<Deployment> {
  const id = await context.db.transaction((tx) => startWithin(tx, reach, request, actor, asking));
  context.wake();
  context.live.changed('deployment', id);
  return get(context.db, reach, id);
}

/** As a part of something; answers its id. */
export async function startWithin(
  tx: Db,
  reach: Reach,
  request: StartRequest,
  actor: string,
  { authorId = null, waits = true }: Asking = {},
): Promise<string> {
  const { firmwareId, policy: asked, startAt, overrideFreeze, ...chosen } = request;
  const id = randomUUID();
  const image = await firmware.get(tx, firmwareId);
  if (!image.manifest) {
    throw new AppError('firmware_unsigned', 'The firmware has no signed manifest yet: sign it first.');
  }
  const selection = await groups.pin(tx, reach, chosen);
  const meant = await groups.withPins(tx, selection);
  const policy = toPolicy(asked);
  const counts = await countByReason(tx, image, meant);
  const ready = counts.get(null) ?? 0;
  refuseNoMatch(selection, counts, policy);
  const sum = (...of: (Reason | null)[]) => of.reduce((all, reason) => all + (counts.get(reason) ?? 0), 0);
  const total = sum(null, 'up_to_date', 'downgrade');
  if (total === 0 && policy.lateJoinersMs === null) {
    const left = sum('pinned', 'other_channel');
    const unable = sum('cannot_decrypt');
    if (unable > 0)
      throw new AppError(
        'cannot_decrypt',
        `This firmware is sent encrypted only, and none of the ${unable} devices that it could be for can decrypt it.`,
      );
    throw new AppError(
      'no_targets',
      left > 0
        ? `All ${left} devices that it could be for are pinned to another version or follow another channel.`
        : `The selection holds no device with a ${describe(image)}.`,
    );
  }
  await foreseeHealth(tx, policy, eligible(image, meant), ready);
  const count = async () => {
    await lockImage(tx, image);
    return countAddedUp(tx, image, meant);
  };
  const isKnown = isFixed(policy, startAt);
  const rule = waits ? await findRule(tx, image.hardware, isKnown ? count : null) : null;
  const starts = startAt === undefined ? null : new Date(startAt);
  await tx.insert(deployments).values({
    id,
    firmwareId,
    selection,
    policy,
    startAt: starts,
    freezeOverride: overrideFreeze ?? null,
    createdBy: actor,
    authorId,
    approval: rule && { rule, decision: null },
    // The newer one wins, also when the clock has gone back since the last.
    createdAt: sql`greatest(now(), (select max(created_at) + interval '1 microsecond' from deployments))`,
    ...rollouts.toRow(createRollout(policy, starts?.getTime() ?? null, rule !== null)),
  });
  await rollouts.apply(tx, id, { type: 'tick' });
  if (rule) await tellWaiting(tx, { id, image, selection: meant, by: actor, devices: ready });
  await record(tx, {
    actor,
    action: 'deployment.start',
    subject: id,
    detail: {
      ...{ firmware: firmwareId, ...selection, targets: total, overrideFreeze },
      ...(rule && { waitsForApproval: rule }),
      ...(policy.health && { health: policy.health }),
    },
  });
  return id;
}

function describe({ component, hardware }: firmware.Firmware): string {
  return component === mainComponent
    ? `main component of hardware ${hardware}`
    : `${component} of hardware ${hardware}`;
}

function waits(): AppError {
  return new AppError('waiting_for_approval', 'The deployment waits for a second person.');
}

export type OperatorEvent = 'pause' | 'resume' | 'cancel' | 'retry_failed';
const finishedFor: Record<OperatorEvent, RolloutState[]> = {
  pause: ['completed', 'cancelled'],
  resume: ['completed', 'cancelled'],
  cancel: ['completed', 'cancelled'],
  retry_failed: ['cancelled'],
};

/**
 * What an operator wants of it. The same again changes nothing. After `cancel` or `pause` has committed nothing more is started; by
 * `cancel`, devices that hold the command are told to stop. Errors: not_found, beyond_reach, waiting_for_approval, deployment_finished,
 * deployment_undone.
 */
export async function operate(
  context: Context,
  reach: Reach,
  id: string,
  event: OperatorEvent,
  actor: string,
  expected = anything,
): Promise<Deployment> {
  await context.db.transaction(async (tx) => {
    await ensureCovered(tx, reach, id, true, expected);
    // What was taken back is not tried again.
    if (event === 'retry_failed' && (await get(tx, reach, id)).undoneBy) throw undone();
    const before = await rollouts.apply(tx, id, { type: event });
    if (!before) throw noDeployment();
    if (before.state === 'waiting_for_approval' && event !== 'cancel') throw waits();
    if (finishedFor[event].includes(before.state)) {
      throw new AppError('deployment_finished', `The deployment is ${before.state} already.`);
    }
    await record(tx, { actor, action: `deployment.${event}`, subject: id });
  });
  context.wake();
  context.live.changed('deployment', id);
  return get(context.db, reach, id);
}

/**
 * From now on it starts devices in freezes, too. One that a second person has approved as heeding them takes such a one's word again. Errors: not_found,
 * beyond_reach, deployment_finished, waiting_for_approval, approval_by_token, approval_by_author.
 */
export async function overrideFreeze(
  context: Context,
  reach: Reach,
  id: string,
  reason: string,
  caller: Caller,
  expected = anything,
): Promise<Deployment> {
  await context.db.transaction(async (tx) => {
    await ensureCovered(tx, reach, id, true, expected);
    const { state, finishedAt, approval, authorId, createdBy } = deployments;
    const [row] = await tx
      .select({ state, finishedAt, approval, authorId, createdBy })
      .from(deployments)
      .where(eq(deployments.id, id))
      .for('no key update');
    if (!row) throw noDeployment();
    if (row.finishedAt) throw new AppError('deployment_finished', `The deployment is ${row.state} already.`);
    if (row.state === 'waiting_for_approval') throw waits();
    if (row.approval) await ensureSecondPerson(tx, row, caller);
    await tx.update(deployments).set({ freezeOverride: reason }).where(eq(deployments.id, id));
    await rollouts.apply(tx, id, { type: 'tick' });
    const actor = caller.name;
    await record(tx, { actor, action: 'deployment.override_freeze', subject: id, detail: { reason } });
  });
  context.wake();
  context.live.changed('deployment', id);
  return get(context.db, reach, id);
}
