/**
 * Undo: the devices that a deployment has updated boot what they ran before, from their other slot. It is a deployment like any other
 * (waves, gates, history) whose command is a signed order instead of an image. Who cannot gets an ordinary one, if that is asked for.
 */
import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { mainComponent, type Undo } from '#emqx/protocol.ts';
import { record } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import { type Db, query, sqlList, sqlState, uniqueViolation } from '../db/query.ts';
import { anything } from '../db/revision.ts';
import { maxDevices } from '../devices/chosen.ts';
import { type PresenceCounts, presenceCounts } from '../devices/presence.ts';
import type { Reach } from '../devices/reach.ts';
import { defaultChannel } from '../devices/table.ts';
import { AppError } from '../errors.ts';
import * as firmware from '../firmware/firmware.ts';
import { startWithin } from './deployments.ts';
import { findPrevious } from './previous.ts';
import { ensureCovered } from './reached.ts';
import { createRollout } from './rollout.ts';
import * as rollouts from './rollouts.ts';
import { toPolicy } from './schema.ts';
import { countByReason, nobody } from './selection.ts';
import { deployments } from './table.ts';
import { type UndoDryRun, type UndoReason, type UndoRequest, undoReasons } from './undo-schema.ts';
import { undoable } from './undoable.ts';
import { type Deployment, get, undone } from './views.ts';

/** How long devices obey it: one that is away for longer keeps what it runs, and is told so. */
const lifetimeMs = 7 * 24 * 3_600_000;
const shown = 1_000;
/** What an ordinary deployment gets over. */
const mended: UndoReason[] = ['no_undo', 'other_previous', 'slot_overwritten'];

interface WayBack {
  leaves: string;
  /** Null: there is nothing to go back to, and `why`. */
  image: firmware.Firmware | null;
  why: string;
}

/** What it would go back to. Errors: not_found, beyond_reach, deployment_undone. */
async function findWayBack(db: Db, reach: Reach, id: string): Promise<WayBack> {
  await ensureCovered(db, reach, id, false);
  const deployment = await get(db, reach, id);
  if (deployment.undoneBy) throw undone();
  const { sha256: leaves, component } = await firmware.get(db, deployment.firmware.id);
  const none = (why: string) => ({ leaves, image: null, why });
  if (deployment.undoes) return none('It is an undo itself: deploy the newer version again.');
  if (component !== mainComponent)
    return none('A child component has one place for its image: deploy the older version.');
  const { firmware: had } = await findPrevious(db, reach, id);
  if (!had) return none('Nothing registered and signed is known to have run there before.');
  return { leaves, image: await firmware.get(db, had.id), why: '' };
}

/** Who would boot the older image, who cannot and why; nothing is sent. */
export async function dryRunUndo(db: Db, reach: Reach, id: string): Promise<UndoDryRun> {
  const { image } = await findWayBack(db, reach, id);
  const candidates = image ? undoable(image, id) : sql`select '' as id, '' as reason where false`;
  const counts = await query<{ reason: UndoReason | null; n: number }>(
    db,
    sql`select reason, count(*)::int as n from (${candidates}) r group by reason`,
  );
  const excluded = await query<{ device: string; reason: UndoReason }>(
    db,
    sql`select id as device, reason from (${candidates}) r where reason is not null order by id limit ${shown}`,
  );
  const [presence] = await query<PresenceCounts>(
    db,
    sql`select ${presenceCounts(sql`d`)} from devices d join (${candidates}) r on r.id = d.id and r.reason is null`,
  );
  const countOf = (reason: UndoReason | null) => counts.find((row) => row.reason === reason)?.n ?? 0;
  return {
    firmware: image && { id: image.id, name: image.name, version: image.version },
    targets: countOf(null),
    presence: presence!,
    excluded,
    excludedCounts: Object.fromEntries(undoReasons.map((r) => [r, countOf(r)])) as Record<UndoReason, number>,
    egressBytes: 0,
  };
}

/**
 * Stops the deployment and starts its undo, and what the others get: all of it or nothing. Errors: not_found, beyond_reach, deployment_undone, not_undoable, firmware_unsigned (no signing key at
 * hand), no_targets, and of the others' deployment.
 */
export async function undo(
  context: Context,
  reach: Reach,
  id: string,
  request: UndoRequest,
  actor: string,
  expected = anything,
): Promise<{ undo: Deployment; others: Deployment | null }> {
  const { leaves, image, why } = await findWayBack(context.db, reach, id);
  if (!image) throw new AppError('not_undoable', why);
  const order = await sign(context, {
    ...firmware.toManifest(image),
    undo: { deployment: id, leaves, expiresUnixMs: Date.now() + lifetimeMs },
  });
  const undoId = randomUUID();
  // Nobody is compared with who stays on what is taken back.
  const asked = { ...request.policy, health: null };
  const policy = toPolicy(asked);
  const othersId = await context.db
    .transaction(async (tx) => {
      await ensureCovered(tx, reach, id, true, expected);
      await rollouts.apply(tx, id, { type: 'cancel' });
      const counts = await countByReason(tx, image, { ...nobody, undoes: id });
      if (!counts.get(null)) throw new AppError('no_targets', 'No device can boot its previous image.');
      const rest = await query<{ id: string }>(
        tx,
        sql`select id from (${undoable(image, id)}) r where reason in ${sqlList(mended)} order by id limit ${maxDevices}`,
      );
      await tx.insert(deployments).values({
        id: undoId,
        firmwareId: image.id,
        undoes: id,
        undoManifest: order,
        selection: nobody,
        policy,
        createdBy: actor,
        createdAt: sql`greatest(now(), (select max(created_at) + interval '1 microsecond' from deployments))`,
        ...rollouts.toRow(createRollout(policy, null)),
      });
      await rollouts.apply(tx, undoId, { type: 'tick' });
      await record(tx, {
        actor,
        action: 'deployment.undo',
        subject: id,
        detail: { undo: undoId, firmware: image.id, targets: counts.get(null) },
      });
      if (!request.others || rest.length === 0) return null;
      const named = { ...nobody, devices: rest.map((device) => device.id), channels: [defaultChannel] };
      // Back to what ran there before, which the server has found: no second person is waited for.
      const asking = { waits: false };
      return startWithin(tx, reach, { ...named, firmwareId: image.id, policy: asked }, actor, asking);
    })
    .catch((error: unknown) => {
      throw sqlState(error) === uniqueViolation ? undone() : error;
    });
  context.wake();
  context.live.changed('deployment', id, undoId, ...(othersId ? [othersId] : []));
  return {
    undo: await get(context.db, reach, undoId),
    others: othersId === null ? null : await get(context.db, reach, othersId),
  };
}

async function sign({ signer }: Context, order: Undo): Promise<string> {
  if (!signer)
    throw new AppError(
      'firmware_unsigned',
      'The server has no firmware signing key: deploy the older version.',
    );
  return signer.sign(order);
}
