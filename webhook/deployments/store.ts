/** Targets in and out of the database, set-based: the fold in `machine.ts` never sees SQL. */
import { and, eq, inArray, or, type SQL, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import type { ClockJump } from '../clock-jumps.ts';
import { at, readClock } from '../db/clock.ts';
import { anyOf, type Db, query, together } from '../db/query.ts';
import { expect } from '../devices/expected.ts';
import { firmwares } from '../firmware/table.ts';
import { enqueueForAttempts } from '../outbox/outbox.ts';
import { type Deferral, step, type Target, type TargetCommand, type TargetEvent } from './machine.ts';
import { defaultRollout, type Policy } from './policy.ts';
import { isActive, isOpen, openStates } from './states.ts';
import { deployments, targets } from './table.ts';

/**
 * Locks and reads targets in key order, so that two transactions never wait for each other in a circle. Written out, for this is read for nearly
 * every event: each column as it is used, and a policy, which many have in common, parsed once.
 */
async function lockTargets(db: Db, where: SQL | undefined): Promise<Target[]> {
  const ms = (column: PgColumn) => sql`floor(extract(epoch from ${column}) * 1000)::float8`;
  const rows = await query<Omit<Target, 'policy'> & { policy: string }>(
    db,
    sql`select ${targets.deploymentId} as "deploymentId", ${targets.deviceId} as "deviceId", ${targets.component},
          ${firmwares.sha256}, ${firmwares.version}, ${deployments.policy}::text as policy,
          ${targets.totalBytes}::float8 as "totalBytes", ${targets.state}, ${targets.attempt},
          ${targets.attemptsForgiven} as "attemptsForgiven", ${targets.cancelRequested} as "cancelRequested",
          ${targets.receivedBytes}::float8 as "receivedBytes", ${targets.bytesPerSecond} as "bytesPerSecond",
          case when ${targets.errorCode} is not null then
            jsonb_strip_nulls(jsonb_build_object('code', ${targets.errorCode}, 'message', ${targets.errorMessage})) end as error, ${targets.stats},
          ${ms(targets.nextAttemptAt)} as "nextAttemptAt", ${ms(targets.deadlineAt)} as "deadlineAt", ${targets.deferred},
          ${ms(targets.deferralEndsAt)} as "deferralEndsAt", ${targets.patchFault} as "patchFault"
        from ${targets}
        join ${deployments} on ${deployments.id} = ${targets.deploymentId}
        join ${firmwares} on ${firmwares.id} = ${deployments.firmwareId}
        where ${where} order by ${targets.deploymentId}, ${targets.deviceId} for update of ${targets}`,
  );
  const policies = new Map<string, Policy>();
  const parse = (text: string): Policy => {
    const policy = policies.get(text) ?? { ...defaultRollout, ...(JSON.parse(text) as Partial<Policy>) };
    policies.set(text, policy);
    return policy;
  };
  return rows.map((row) => Object.assign(row, { policy: parse(row.policy) }));
}

/** Condition on `targets`: these ones. */
export function among(keys: { deploymentId: string; deviceId: string }[]): SQL {
  const json = JSON.stringify(keys.map(({ deploymentId, deviceId }) => ({ d: deploymentId, v: deviceId })));
  return sql`(${targets.deploymentId}, ${targets.deviceId}) in
    (select d, v from jsonb_to_recordset(${json}::jsonb) as k(d uuid, v text))`;
}

/** Applies one event to the targets that `due` claims (and locks). */
export async function applyToDue(tx: Db, event: TargetEvent, due: SQL): Promise<Applied> {
  const keys = await query<{ deploymentId: string; deviceId: string }>(tx, due);
  if (keys.length === 0) return { claimed: 0, last: null, deploymentIds: [] };
  const fold = await Fold.open(tx, among(keys));
  for (const target of fold.all()) fold.apply(target, event);
  const { deploymentIds } = await fold.save(tx);
  return { claimed: keys.length, last: keys.at(-1)!.deviceId, deploymentIds };
}

export interface Applied {
  claimed: number;
  /** Device of the last one claimed. */
  last: string | null;
  deploymentIds: string[];
}

/** What an event of these devices may concern: what is open, what was given up without their word, and what they name. */
export function concerning(
  deviceIds: string[],
  named: { deploymentId: string; deviceId: string }[],
): SQL | undefined {
  // As lists, not as one parameter: the planner must see how few they are, or it reads every target.
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
  readonly #timeline: {
    target: Target;
    event: TargetEvent['type'] | `${Deferral['step']}_deferred`;
    at: number;
  }[] = [];

  /** Deployments whose rollout may have something to do. */
  readonly #moved = new Set<string>();
  /** Devices that have ended something, so that another deployment's turn may have come. */
  readonly #freed = new Set<string>();

  /** Over the targets that meet the condition, locked until the transaction ends, and by the database's clock. */
  static async open(tx: Db, where: SQL | undefined): Promise<Fold> {
    const [locked, now] = await Promise.all([lockTargets(tx, where), readClock(tx)]);
    return new Fold(locked, now);
  }

  private constructor(locked: Target[], now: number) {
    this.#targets = new Map(locked.map((t) => [key(t), t]));
    this.#before = new Map(this.#targets);
    this.#now = now;
  }

  find(deploymentId: string, deviceId: string): Target | undefined {
    return this.#targets.get(key({ deploymentId, deviceId }));
  }

  all(): Target[] {
    return [...this.#targets.values()];
  }

  ofDevice(deviceId: string): Target[] {
    return this.all().filter((t) => t.deviceId === deviceId);
  }

  apply(target: Target, event: TargetEvent): void {
    const current = this.#targets.get(key(target))!;
    const { target: next, commands } = step(current, event, this.#now);
    this.#targets.set(key(target), next);
    for (const command of commands) this.#commands.push({ target: next, command });
    if (next.deferred && !isSame(next.deferred, current.deferred))
      this.#timeline.push({ target: next, event: `${next.deferred.step}_deferred`, at: this.#now });
    if (next.state !== current.state || next.attempt !== current.attempt) {
      if (!next.deferred) this.#timeline.push({ target: next, event: event.type, at: this.#now });
      this.#moved.add(next.deploymentId);
      if (isActive(current.state) && !isActive(next.state)) this.#freed.add(next.deviceId);
    } else if (event.type === 'subscribed' && next.state === 'pending') {
      this.#moved.add(next.deploymentId);
    }
  }

  /** Answers the deployments whose targets changed and whether there are commands to send. */
  async save(db: Db): Promise<{ deploymentIds: string[]; commands: number }> {
    const changed = [...this.#targets].filter(([k, t]) => this.#before.get(k) !== t).map(([, t]) => t);
    const succeeded = changed.filter(
      (t) => t.state === 'succeeded' && this.#before.get(key(t))!.state !== 'succeeded',
    );
    const commands = this.#commands.map(({ target, command }) => ({
      deviceId: target.deviceId,
      deploymentId: target.deploymentId,
      ...command,
    }));
    await together(
      updateTargets(db, changed, this.#now),
      expect(db, succeeded, this.#now),
      this.#record(db),
      enqueueForAttempts(db, commands),
      mark(db, [...this.#moved]),
      markWaiting(db, [...this.#freed]),
    );
    return {
      deploymentIds: [...new Set(changed.map((t) => t.deploymentId))],
      commands: this.#commands.length,
    };
  }

  async #record(db: Db): Promise<void> {
    if (this.#timeline.length === 0) return;
    const rows = this.#timeline.map(({ target, event, at }) => ({
      d: target.deploymentId,
      v: target.deviceId,
      at: new Date(at).toISOString(),
      event,
      state: target.state,
      detail: describe(target),
    }));
    await db.execute(sql`
      insert into target_events (deployment_id, device_id, at, event, state, detail)
      select d, v, at, event, state, detail from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        as r(d uuid, v text, at timestamptz, event text, state text, detail text)`);
  }
}

/** Another time that the application names is no news of its own. */
function isSame(one: Deferral, other: Deferral | null): boolean {
  return one.step === other?.step && one.reason === other.reason;
}

/** Of a row of the timeline. */
function describe({ error, deferred }: Target): string | null {
  if (deferred) return deferred.reason || null;
  return error && [error.code, error.message].filter(Boolean).join(': ');
}

/** Rollouts to be looked at again. */
export async function mark(db: Db, deploymentIds: string[]): Promise<void> {
  if (deploymentIds.length === 0) return;
  await db.execute(sql`
    insert into rollout_marks (deployment_id)
    select value::uuid from jsonb_array_elements_text(${JSON.stringify(deploymentIds)}::jsonb)`);
}

/** A device was registered, changed or has reported a component: it may join what takes late joiners. */
export async function markJoinable(db: Db): Promise<void> {
  await db.execute(sql`
    insert into rollout_marks (deployment_id, joins)
    select id, true from deployments
    where finished_at is null and jsonb_typeof(policy -> 'lateJoinersMs') = 'number'`);
}

/** A freeze comes or goes: once it is committed, whoever looks at a rollout sees it. */
export async function markUnfinished(db: Db): Promise<void> {
  await db.execute(sql`
    select from deployments where finished_at is null order by id for no key update`);
  await db.execute(sql`
    insert into rollout_marks (deployment_id) select id from deployments where finished_at is null`);
}

/** Those of the devices' other deployments that waited for the one that has ended. */
async function markWaiting(db: Db, deviceIds: string[]): Promise<void> {
  if (deviceIds.length === 0) return;
  await db.execute(sql`
    insert into rollout_marks (deployment_id)
    select distinct deployment_id from targets where state = 'pending'
      and device_id ${anyOf(deviceIds)}`);
}

function key(t: { deploymentId: string; deviceId: string }): string {
  return `${t.deploymentId}/${t.deviceId}`;
}

async function updateTargets(db: Db, changed: Target[], now: number): Promise<void> {
  if (changed.length === 0) return;
  // A key that is left out is null: most targets have few of these.
  const some = <T>(value: T | null): T | undefined => value ?? undefined;
  const rows = changed.map((t) => ({
    deployment_id: t.deploymentId,
    device_id: t.deviceId,
    state: t.state,
    attempt: t.attempt,
    attempts_forgiven: t.attemptsForgiven,
    cancel_requested: t.cancelRequested,
    received_bytes: t.receivedBytes,
    bytes_per_second: some(t.bytesPerSecond),
    error_code: t.error?.code,
    error_message: t.error?.message,
    stats: some(t.stats),
    next_attempt_at: some(t.nextAttemptAt),
    deadline_at: isOpen(t.state) ? some(t.deadlineAt) : undefined,
    deferred: some(t.deferred),
    deferral_ends_at: some(t.deferralEndsAt),
    patch_fault: some(t.patchFault),
  }));
  await db.execute(sql`
    update targets t
    set state = v.state, attempt = v.attempt, attempts_forgiven = v.attempts_forgiven,
        cancel_requested = v.cancel_requested, received_bytes = v.received_bytes,
        bytes_per_second = v.bytes_per_second, error_code = v.error_code, error_message = v.error_message,
        stats = v.stats, next_attempt_at = to_timestamp(v.next_attempt_at / 1000), deadline_at = to_timestamp(v.deadline_at / 1000),
        deferred = v.deferred, deferral_ends_at = to_timestamp(v.deferral_ends_at / 1000), patch_fault = v.patch_fault,
        updated_at = ${at(now)}
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as v(
      deployment_id uuid, device_id text, state text, attempt int, attempts_forgiven int, cancel_requested boolean, received_bytes bigint,
      bytes_per_second double precision, error_code text, error_message text, stats jsonb,
      next_attempt_at float8, deadline_at float8, deferred jsonb, deferral_ends_at float8, patch_fault text)
    where t.deployment_id = v.deployment_id and t.device_id = v.device_id`);
}

/** Another copy that has moved them meanwhile read the clock a little later. */
const soonMs = 15_000;

/** What waits for a time waits as long as before. Times are moved once: `updated_at` then says that they are of the new clock. */
export async function followClock(db: Db, { byMs, now, since }: ClockJump): Promise<void> {
  const by = sql`make_interval(secs => ${byMs / 1000})`;
  await db.execute(sql`
    update targets t
    set deadline_at = t.deadline_at + ${by}, next_attempt_at = t.next_attempt_at + ${by},
        deferral_ends_at = t.deferral_ends_at + ${by}, updated_at = ${at(now)}
    from (
      select deployment_id, device_id from targets
      where (deadline_at is not null or (state = 'pending' and next_attempt_at is not null))
        and (updated_at <= ${at(since)} or updated_at > ${at(now + soonMs)})
      order by deployment_id, device_id for update
    ) old
    where t.deployment_id = old.deployment_id and t.device_id = old.device_id`);
}
