/**
 * The one background loop of a copy: starts what is due, times out what is silent, closes deployments, works off renewals, and
 * sends. Every step is safe to run in any number of copies and to be killed in the middle.
 */
import { and, eq, type SQL, sql } from 'drizzle-orm';
import { createKickBlocked } from '../certificates/blocking.ts';
import { forgetOldTokens } from '../certificates/certificates.ts';
import { createRefreshCrls } from '../certificates/crl.ts';
import { work as workRenewals } from '../certificates/renewals.ts';
import { createConfirmRevocations } from '../certificates/revocation.ts';
import type { Context } from '../context.ts';
import { query, sqlState, uniqueViolation } from '../db/connect.ts';
import { forgetOldMessages } from '../events/received.ts';
import type { TargetEvent } from './machine.ts';
import { send } from './outbox.ts';
import { Fold, lockTargets } from './store.ts';
import { deployments, targets } from './table.ts';

const housekeepingMs = 60_000;
const batch = 500;

export interface Dispatcher {
  wake(): void;
  /** Ends after the step that is under way. */
  stop(): Promise<void>;
}

export interface Pauses {
  /** Between two looks at the database when nobody wakes it, and after a fault. */
  idleMs: number;
  faultMs: number;
}

export function startDispatcher(
  context: () => Context,
  { idleMs, faultMs }: Pauses = { idleMs: 1_000, faultMs: 2_000 },
): Dispatcher {
  let stopped = false;
  let woken = false;
  let rouse = () => {};
  let lastHousekeeping = 0;

  const steps = [
    keepHouse,
    supersede,
    startPending,
    timeOut,
    workRenewals,
    send,
    complete,
    createKickBlocked(),
    createConfirmRevocations(),
    createRefreshCrls(),
  ];

  /** Each step on its own: one that fails (the broker is away) must not keep the others from their work. */
  async function round(): Promise<{ more: boolean; failed: boolean }> {
    const outcome = { more: false, failed: false };
    for (const step of steps) {
      try {
        if (await step(context())) outcome.more = true;
      } catch (error) {
        context().log('warn', 'dispatch postponed', { step: step.name, error });
        outcome.failed = true;
      }
    }
    return outcome;
  }

  async function keepHouse({ db }: Context): Promise<boolean> {
    const now = Date.now();
    if (now - lastHousekeeping < housekeepingMs) return false;
    lastHousekeeping = now;
    await forgetOldTokens(db);
    await forgetOldMessages(db);
    return false;
  }

  async function run(): Promise<void> {
    while (!stopped) {
      woken = false;
      const { more, failed } = await round();
      const pauseMs = failed ? faultMs : idleMs;
      if (stopped || (!failed && (more || woken))) continue;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pauseMs);
        rouse = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  const running = run();
  return {
    wake() {
      woken = true;
      rouse();
    },
    async stop() {
      stopped = true;
      rouse();
      await running;
    },
  };
}

/** Where a newer deployment waits for the same component of a device, the older one is not sent any more. */
function supersede(context: Context): Promise<boolean> {
  return applyToDue(
    context,
    { type: 'supersede' },
    sql`select t.deployment_id as "deploymentId", t.device_id as "deviceId"
        from targets t join deployments d on d.id = t.deployment_id
        where t.state = 'pending' and exists (
          select 1 from targets o join deployments n on n.id = o.deployment_id
          where o.device_id = t.device_id and o.component = t.component and o.state = 'pending'
            and n.state = 'running' and (n.created_at, n.id) > (d.created_at, d.id))
        order by t.deployment_id, t.device_id limit ${batch} for update of t skip locked`,
  );
}

/**
 * Pending targets whose device can be reached become attempts. One waits until nothing else of that component is active or
 * pending: an older one must have been superseded first, or it would be sent after the newer and undo it.
 */
async function startPending(context: Context): Promise<boolean> {
  try {
    return await applyToDue(
      context,
      { type: 'dispatch' },
      sql`select t.deployment_id as "deploymentId", t.device_id as "deviceId"
          from targets t
          join deployments d on d.id = t.deployment_id and d.state = 'running'
          join devices v on v.id = t.device_id and v.reachable and not v.blocked
          where t.state = 'pending' and (t.next_attempt_at is null or t.next_attempt_at <= now())
            and not exists (
              select 1 from targets o
              where o.device_id = t.device_id and o.component = t.component and o.deployment_id <> t.deployment_id
                and o.state in ('pending', 'sent', 'accepted', 'downloading', 'installing', 'cancelling'))
          order by t.deployment_id, t.device_id limit ${batch} for update of t skip locked`,
    );
  } catch (error) {
    // Another copy has just started the other of two updates of one device.
    if (sqlState(error) === uniqueViolation) return false;
    throw error;
  }
}

function keysIn(rows: { deploymentId: string; deviceId: string }[]) {
  const keys = JSON.stringify(rows.map(({ deploymentId, deviceId }) => ({ d: deploymentId, v: deviceId })));
  return sql`(${targets.deploymentId}, ${targets.deviceId}) in
    (select d, v from jsonb_to_recordset(${keys}::jsonb) as k(d uuid, v text))`;
}

/** Stages that were silent for too long, whoever should have spoken. */
function timeOut(context: Context): Promise<boolean> {
  return applyToDue(
    context,
    { type: 'tick' },
    sql`select deployment_id as "deploymentId", device_id as "deviceId" from targets
        where deadline_at <= now() order by deployment_id, device_id limit ${batch} for update skip locked`,
  );
}

/** Applies one event to the targets that `due` claims (and locks); answers whether any changed. */
async function applyToDue(context: Context, event: TargetEvent, due: SQL): Promise<boolean> {
  const saved = await context.db.transaction(async (tx) => {
    const keys = await query<{ deploymentId: string; deviceId: string }>(tx, due);
    if (keys.length === 0) return null;
    const locked = await lockTargets(tx, keysIn(keys));
    const fold = new Fold(locked, Date.now());
    for (const target of locked) fold.apply(target, event);
    return fold.save(tx);
  });
  context.live.changed('deployment', ...(saved?.deploymentIds ?? []));
  return (saved?.deploymentIds.length ?? 0) > 0;
}

/** A running deployment without open targets is done. */
async function complete(context: Context): Promise<boolean> {
  const done = await context.db
    .update(deployments)
    .set({ state: 'completed', finishedAt: new Date() })
    .where(
      and(
        eq(deployments.state, 'running'),
        sql`not exists (select 1 from ${targets} t where t.deployment_id = ${deployments.id}
          and t.state in ('pending', 'sent', 'accepted', 'downloading', 'installing', 'cancelling'))`,
      ),
    )
    .returning({ id: deployments.id });
  context.live.changed('deployment', ...done.map((d) => d.id));
  return false;
}
