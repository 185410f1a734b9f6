/**
 * The one background loop of a copy: times out what is silent, moves rollouts on (which starts targets and closes deployments), works
 * off renewals, and sends. Every step is safe to run in any number of copies and to be killed in the middle.
 */
import { sql } from 'drizzle-orm';
import { createPublishHeads, createVerifyWhole } from './audit/heads.ts';
import { createTellLosses } from './broker/losses.ts';
import { createWatchPassword } from './broker/watch.ts';
import { createTellBans } from './certificates/blocked-ban.ts';
import { createKickBlocked } from './certificates/blocked-kick.ts';
import { forgetOldTokens } from './certificates/certificates.ts';
import { createRefreshCrls } from './certificates/crl.ts';
import { createTellExpiring } from './certificates/expiry.ts';
import { work as workRenewals } from './certificates/renewals.ts';
import { createConfirmRevocations } from './certificates/revocation.ts';
import { createSupersede } from './certificates/superseding.ts';
import { createFollowClock } from './clock-jumps.ts';
import type { Context } from './context.ts';
import { createSymboliseNew } from './crashes/symbolised.ts';
import { at } from './db/clock.ts';
import { advance, forgetOldMarks } from './deployments/rollouts.ts';
import { applyToDue } from './deployments/store.ts';
import { createTellSilent } from './devices/silence.ts';
import { gatherFleetTallies } from './devices/tallies.ts';
import { createForgetPatches, createMakePatches, createSignPatches } from './firmware/patches/patches.ts';
import { createSealObjects } from './firmware/sealing/sealing.ts';
import { createForgetUploads } from './firmware/uploads/uploads.ts';
import { forgetOldKeys } from './idempotency/idempotency.ts';
import { forgetOld as forgetOldJobs, workJobs } from './jobs/jobs.ts';
import { type Loop, type Pause, startLoop } from './loop.ts';
import { createWatchGroups } from './notifications/watches.ts';
import { send } from './outbox/send.ts';
import { paced } from './paced.ts';
import { createRecordHour, createRecordMoments } from './trends/record.ts';

const housekeepingMs = 60_000;
const batch = 500;
/** Of targets started and sent, between two looks at all else. */
const turns = 4;

export interface Pauses {
  /** Between two looks at the database when nobody wakes it, and after a fault. */
  idleMs: number;
  faultMs: number;
}

/** Returns whether there may be more to do at once. */
type Step = (context: Context) => Promise<boolean>;

export function startBackground(
  context: () => Context,
  { idleMs, faultMs }: Pauses = { idleMs: 1_000, faultMs: 2_000 },
): Loop {
  const steps: (Step | Step[])[] = [
    createKeepHouse(),
    createTimeOut(),
    // At once, and several times: while the broker takes what is ready, the next targets are started.
    [advance, send],
    workRenewals,
    workJobs,
    createMakePatches(),
    createSealObjects(),
    createSignPatches(),
    createForgetPatches(),
    createForgetUploads(),
    createKickBlocked(),
    createTellBans(),
    createSupersede(),
    createConfirmRevocations(),
    createRefreshCrls(),
    createPublishHeads(),
    createVerifyWhole(),
    createWatchPassword(),
    createTellLosses(),
    createTellExpiring(),
    createTellSilent(),
    createWatchGroups(),
    createRecordMoments(),
    createRecordHour(),
    createSymboliseNew(),
  ];

  /** Each step on its own: one that fails (the broker is away) must not keep the others from their work. */
  async function round(): Promise<Pause> {
    let more = false;
    let failed = false;
    const take = async (step: Step) => {
      try {
        return await step(context());
      } catch (error) {
        context().log('warn', 'dispatch postponed', { step: step.name, error });
        failed = true;
        return false;
      }
    };
    for (const atOnce of steps) {
      const group = [atOnce].flat();
      let again = true;
      for (let turn = 0; again && turn < (group.length > 1 ? turns : 1); turn++)
        again = (await Promise.all(group.map(take))).includes(true) && !failed;
      if (again) more = true;
    }
    if (failed) return { pauseMs: faultMs, evenIfWoken: true };
    return { pauseMs: more ? 0 : idleMs };
  }

  return startLoop(round);
}

const createKeepHouse = () =>
  paced({ everyMs: housekeepingMs }, async function keepHouse({ db }: Context) {
    await forgetOldTokens(db);
    await forgetOldMarks(db);
    await forgetOldJobs(db);
    await gatherFleetTallies(db);
    await forgetOldKeys(db);
    return 'done';
  });

/** Stages that were silent for too long, whoever should have spoken: by a time that is known to have come by passing, not by a jump. */
export function createTimeOut(
  followClock = createFollowClock(),
): (context: Pick<Context, 'db' | 'log' | 'live'>) => Promise<boolean> {
  return async function timeOut(context) {
    const now = await followClock(context);
    if (now === null) return false;
    const due = sql`
      select deployment_id as "deploymentId", device_id as "deviceId" from targets
      where deadline_at <= ${at(now)} order by deadline_at limit ${batch} for update skip locked`;
    const { claimed, deploymentIds } = await context.db.transaction((tx) =>
      applyToDue(tx, { type: 'tick' }, due),
    );
    context.live.changed('deployment', ...deploymentIds);
    return claimed === batch;
  };
}
