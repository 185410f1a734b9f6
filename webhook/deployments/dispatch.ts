/**
 * The one background loop of a copy: starts what is due, times out what is silent, closes deployments, works off renewals, and
 * sends. Every step is safe to run in any number of copies and to be killed in the middle.
 */
import { and, eq, sql } from 'drizzle-orm';
import { forgetOldTokens } from '../certificates/certificates.ts';
import { work as workRenewals } from '../certificates/renewals.ts';
import type { Context } from '../context.ts';
import { type Db, query, sqlState, uniqueViolation } from '../db/connect.ts';
import { forgetOldMessages } from '../events/received.ts';
import { send } from './outbox.ts';
import { Fold, lockTargets } from './store.ts';
import { deployments, targets } from './table.ts';

const idleMs = 1_000;
const faultMs = 2_000;
const housekeepingMs = 60_000;
const batch = 500;

export interface Dispatcher {
  wake(): void;
  /** Ends after the step that is under way. */
  stop(): Promise<void>;
}

export function startDispatcher(context: () => Context): Dispatcher {
  let stopped = false;
  let woken = false;
  let rouse = () => {};
  let lastHousekeeping = 0;

  async function round(): Promise<boolean> {
    const now = Date.now();
    if (now - lastHousekeeping > housekeepingMs) {
      lastHousekeeping = now;
      await forgetOldTokens(context().db);
      await forgetOldMessages(context().db);
    }
    const steps = [
      await startPending(context()),
      await timeOut(context()),
      await workRenewals(context()),
      await send(context()),
    ];
    await complete(context());
    return steps.some(Boolean);
  }

  async function run(): Promise<void> {
    while (!stopped) {
      woken = false;
      let pauseMs = idleMs;
      try {
        if (await round()) continue;
      } catch (error) {
        context().log('warn', 'dispatch postponed', { error });
        pauseMs = faultMs;
      }
      if (stopped || (woken && pauseMs === idleMs)) continue;
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

/** Pending targets whose device can be reached become attempts; where two deployments wait for one device, the newer goes. */
async function startPending(context: Context): Promise<boolean> {
  try {
    const claimed = await context.db.transaction(async (tx) => {
      const due = await claimPending(tx);
      if (due.length === 0) return null;
      const locked = await lockTargets(tx, keysIn(due));
      const fold = new Fold(locked, Date.now());
      for (const target of locked) {
        const superseded = due.some(
          (d) => d.deploymentId === target.deploymentId && d.deviceId === target.deviceId && d.superseded,
        );
        fold.apply(target, { type: superseded ? 'supersede' : 'dispatch' });
      }
      return fold.save(tx);
    });
    if (!claimed) return false;
    context.live.changed('deployment', ...claimed.deploymentIds);
    return claimed.deploymentIds.length > 0;
  } catch (error) {
    // Another copy has just started the other of two updates of one device.
    if (sqlState(error) === uniqueViolation) return false;
    throw error;
  }
}

interface Due extends Record<string, unknown> {
  deploymentId: string;
  deviceId: string;
  superseded: boolean;
}

async function claimPending(db: Db): Promise<Due[]> {
  return query<Due>(
    db,
    sql`select t.deployment_id as "deploymentId", t.device_id as "deviceId", newer.exists as superseded
        from targets t
        join deployments d on d.id = t.deployment_id and d.state = 'running'
        join devices v on v.id = t.device_id
        cross join lateral (
          select exists (
            select 1 from targets o join deployments n on n.id = o.deployment_id
            where o.device_id = t.device_id and o.component = t.component and o.state = 'pending'
              and n.state = 'running' and (n.created_at, n.id) > (d.created_at, d.id)
          ) as exists
        ) newer
        where t.state = 'pending'
          and (newer.exists or (
            v.reachable and (t.next_attempt_at is null or t.next_attempt_at <= now())
            and not exists (
              select 1 from targets a where a.device_id = t.device_id and a.component = t.component
                and a.state in ('sent', 'accepted', 'downloading', 'installing', 'cancelling'))))
        order by t.deployment_id, t.device_id
        limit ${batch}
        for update of t skip locked`,
  );
}

function keysIn(rows: { deploymentId: string; deviceId: string }[]) {
  const keys = JSON.stringify(rows.map(({ deploymentId, deviceId }) => ({ d: deploymentId, v: deviceId })));
  return sql`(${targets.deploymentId}, ${targets.deviceId}) in
    (select d, v from jsonb_to_recordset(${keys}::jsonb) as k(d uuid, v text))`;
}

/** Stages that were silent for too long, whoever should have spoken. */
async function timeOut(context: Context): Promise<boolean> {
  const saved = await context.db.transaction(async (tx) => {
    const due = await query<{ deploymentId: string; deviceId: string }>(
      tx,
      sql`select deployment_id as "deploymentId", device_id as "deviceId" from targets
          where deadline_at <= now() order by deployment_id, device_id limit ${batch} for update skip locked`,
    );
    if (due.length === 0) return null;
    const locked = await lockTargets(tx, keysIn(due));
    const fold = new Fold(locked, Date.now());
    for (const target of locked) fold.apply(target, { type: 'tick' });
    return fold.save(tx);
  });
  if (saved) context.live.changed('deployment', ...saved.deploymentIds);
  return (saved?.deploymentIds.length ?? 0) > 0;
}

/** A running deployment without open targets is done. */
async function complete(context: Context): Promise<void> {
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
}
