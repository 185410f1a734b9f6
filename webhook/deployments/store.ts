/** Targets in and out of the database, set-based: the fold in `machine.ts` never sees SQL. */
import { and, asc, eq, inArray, or, type SQL, sql } from 'drizzle-orm';
import type { Db } from '../db/connect.ts';
import { firmwares } from '../firmware/table.ts';
import { step, type Target, type TargetCommand, type TargetEvent } from './machine.ts';
import { isOpen, openStates } from './states.ts';
import { deployments, outbox, targetEvents, targets } from './table.ts';

/** Locks and reads targets in key order, so that two transactions never wait for each other in a circle. */
export async function lockTargets(db: Db, where: SQL | undefined): Promise<Target[]> {
  const rows = await db
    .select({ target: targets, policy: deployments.policy, sha256: firmwares.sha256 })
    .from(targets)
    .innerJoin(deployments, eq(deployments.id, targets.deploymentId))
    .innerJoin(firmwares, eq(firmwares.id, deployments.firmwareId))
    .where(where)
    .orderBy(asc(targets.deploymentId), asc(targets.deviceId))
    .for('update', { of: targets });
  return rows.map(({ target, policy, sha256 }) => ({
    deploymentId: target.deploymentId,
    deviceId: target.deviceId,
    component: target.component,
    sha256,
    policy,
    totalBytes: target.totalBytes,
    state: target.state,
    attempt: target.attempt,
    cancelRequested: target.cancelRequested,
    receivedBytes: target.receivedBytes,
    bytesPerSecond: target.bytesPerSecond,
    error: target.errorCode ? { code: target.errorCode, message: target.errorMessage ?? undefined } : null,
    stats: target.stats,
    nextAttemptAt: target.nextAttemptAt?.getTime() ?? null,
    deadlineAt: target.deadlineAt?.getTime() ?? null,
  }));
}

/** What an event of these devices may concern: what is open, what was given up without their word, and what they name. */
export function concerning(
  deviceIds: string[],
  named: { deploymentId: string; deviceId: string }[],
): SQL | undefined {
  return or(
    and(
      inArray(targets.deviceId, deviceIds),
      or(inArray(targets.state, [...openStates]), eq(targets.state, 'timed_out')),
    ),
    named.length
      ? and(
          inArray(targets.deploymentId, [...new Set(named.map((n) => n.deploymentId))]),
          inArray(targets.deviceId, [...new Set(named.map((n) => n.deviceId))]),
        )
      : undefined,
  );
}

/** Collects what events do to targets within one transaction, then writes it: one statement a table. */
export class Fold {
  readonly #targets: Map<string, Target>;
  readonly #before: Map<string, Target>;
  readonly #now: number;
  readonly #commands: { target: Target; command: TargetCommand }[] = [];
  readonly #timeline: { target: Target; event: TargetEvent['type']; at: number }[] = [];

  constructor(locked: Target[], now: number) {
    this.#targets = new Map(locked.map((t) => [key(t), t]));
    this.#before = new Map(this.#targets);
    this.#now = now;
  }

  find(deploymentId: string, deviceId: string): Target | undefined {
    return this.#targets.get(key({ deploymentId, deviceId }));
  }

  ofDevice(deviceId: string): Target[] {
    return [...this.#targets.values()].filter((t) => t.deviceId === deviceId);
  }

  apply(target: Target, event: TargetEvent): void {
    const current = this.#targets.get(key(target))!;
    const { target: next, commands } = step(current, event, this.#now);
    this.#targets.set(key(target), next);
    for (const command of commands) this.#commands.push({ target: next, command });
    if (next.state !== current.state || next.attempt !== current.attempt) {
      this.#timeline.push({ target: next, event: event.type, at: this.#now });
    }
  }

  /** Answers the deployments whose targets changed and whether there are commands to send. */
  async save(db: Db): Promise<{ deploymentIds: string[]; commands: number }> {
    const changed = [...this.#targets].filter(([k, t]) => this.#before.get(k) !== t).map(([, t]) => t);
    if (changed.length) await updateTargets(db, changed, this.#now);
    if (this.#timeline.length) {
      await db.insert(targetEvents).values(
        this.#timeline.map(({ target, event, at }) => ({
          deploymentId: target.deploymentId,
          deviceId: target.deviceId,
          at: new Date(at),
          event,
          state: target.state,
          detail: target.error && [target.error.code, target.error.message].filter(Boolean).join(': '),
        })),
      );
    }
    if (this.#commands.length) {
      await db.insert(outbox).values(
        this.#commands.map(({ target, command }) => ({
          deviceId: target.deviceId,
          topic: `firmware/download/${command.type}`,
          deploymentId: target.deploymentId,
          attempt: command.attempt,
          sendAt: new Date(this.#now),
        })),
      );
    }
    return {
      deploymentIds: [...new Set(changed.map((t) => t.deploymentId))],
      commands: this.#commands.length,
    };
  }
}

function key(t: { deploymentId: string; deviceId: string }): string {
  return `${t.deploymentId}/${t.deviceId}`;
}

async function updateTargets(db: Db, changed: Target[], now: number): Promise<void> {
  const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  const rows = changed.map((t) => ({
    deployment_id: t.deploymentId,
    device_id: t.deviceId,
    state: t.state,
    attempt: t.attempt,
    cancel_requested: t.cancelRequested,
    received_bytes: t.receivedBytes,
    bytes_per_second: t.bytesPerSecond,
    error_code: t.error?.code ?? null,
    error_message: t.error?.message ?? null,
    stats: t.stats,
    next_attempt_at: iso(t.nextAttemptAt),
    deadline_at: isOpen(t.state) ? iso(t.deadlineAt) : null,
  }));
  await db.execute(sql`
    update targets t
    set state = v.state, attempt = v.attempt, cancel_requested = v.cancel_requested, received_bytes = v.received_bytes,
        bytes_per_second = v.bytes_per_second, error_code = v.error_code, error_message = v.error_message,
        stats = v.stats, next_attempt_at = v.next_attempt_at, deadline_at = v.deadline_at,
        updated_at = ${new Date(now).toISOString()}::timestamptz
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as v(
      deployment_id uuid, device_id text, state text, attempt int, cancel_requested boolean, received_bytes bigint,
      bytes_per_second double precision, error_code text, error_message text, stats jsonb,
      next_attempt_at timestamptz, deadline_at timestamptz)
    where t.deployment_id = v.deployment_id and t.device_id = v.device_id`);
}
