/** Looks at rollouts, as `rollouts.ts` of the webhook: marks away, tally, machine, actions, row. */
import type { TargetEvent } from '../deployments/machine.ts';
import { isGateOverdue, type RolloutAction, type RolloutEvent } from '../deployments/rollout.ts';
import type { Connection, Work } from './connection.ts';
import { type Look, startTargets } from './starts.ts';
import type { Transaction } from './store.ts';
import { join, nextLook, resolve, tallyUp, targetsIn, targetsOf } from './targets.ts';

export function* operate(connection: Connection, deploymentId: string, event: RolloutEvent): Work {
  const tx = connection.begin();
  yield* connection.lock(tx, `deployment:${deploymentId}`);
  yield* run(connection, tx, deploymentId, event);
}

export function* advance(connection: Connection): Work {
  const { store, now, machines } = connection.surroundings;
  const marked = new Set([...store.tables.marks.values()].map((m) => m.deploymentId));
  for (const { id } of [...store.tables.deployments.values()]) {
    const isDue = () => {
      const row = store.tables.deployments.get(id)!;
      if (row.rollout.finishedAt !== null) return false;
      return marked.has(id) || (row.nextLookAt !== null && row.nextLookAt <= now());
    };
    if (!isDue()) continue;
    const tx = connection.begin();
    if (machines.locksRollouts && (!tx.lock(`deployment:${id}`) || !isDue())) {
      connection.end(tx);
      continue;
    }
    yield;
    yield* run(connection, tx, id, { type: 'tick' });
  }
}

function* run(connection: Connection, tx: Transaction, id: string, event: RolloutEvent): Work {
  const { machines, invariants, store } = connection.surroundings;
  const row = tx.get('deployments', id)!;
  let registryChanged = false;
  for (const [key, mark] of [...tx.scan('marks')]) {
    if (mark.deploymentId !== id) continue;
    tx.set('marks', key, undefined);
    registryChanged ||= mark.joins ?? false;
  }
  yield;
  const now = connection.surroundings.now();
  const seen = targetsOf(tx, id);
  const tallies = tallyUp(seen, isGateOverdue(row.rollout, now));
  const isTick = event.type === 'tick';
  const asked = isTick ? { ...event, registryChanged } : event;
  let { rollout, actions } = machines.stepRollout(row.rollout, tallies, asked, now);
  const look: Look = { soonAt: isTick ? null : now, opensAt: null, sweptAt: isTick ? row.sweptAt : null };
  const fold = connection.fold(tx);
  const started: string[] = [];
  for (const action of actions as RolloutAction[]) {
    yield;
    if (action.type === 'resolve') {
      rollout = machines.stepRollout(
        rollout,
        tallies,
        { type: 'resolved', gates: resolve(tx, row) },
        now,
      ).rollout;
      look.soonAt = now;
    } else if (action.type === 'join') {
      const joined = join(tx, row, action.wave);
      if (joined.fresh > 0) invariants.joined(row, action.wave, seen, now);
      if (joined.pending > 0) {
        look.soonAt = now;
        look.sweptAt = null;
      }
    } else if (action.type === 'dispatch') {
      const done = yield* startTargets(connection, tx, fold, row, action, look, now);
      if (done === 'lost') return connection.end(tx);
      if (done === null) continue;
      started.push(...done);
      rollout = machines.stepRollout(
        rollout,
        tallies,
        { type: 'dispatched', count: done.length },
        now,
      ).rollout;
    } else {
      const targetEvent: TargetEvent =
        action.type === 'cancel_targets' ? { type: 'cancel' } : { type: 'retry' };
      for (const key of seen.map((t) => `${id}/${t.deviceId}`).sort()) {
        yield* connection.lock(tx, `target:${key}`);
        fold.apply(key, targetEvent);
      }
      look.soonAt = now;
    }
  }
  const finished = rollout.finishedAt !== null;
  tx.set('deployments', id, {
    ...row,
    rollout,
    sweptAt: look.sweptAt,
    nextLookAt: finished ? null : (look.soonAt ?? nextLook(rollout, tallies, seen, look.opensAt, now)),
  });
  if (finished) {
    for (const [other, d] of tx.scan('deployments')) {
      if (other !== id && d.rollout.finishedAt === null) {
        tx.set('marks', store.nextId(), { deploymentId: other });
      }
    }
  }
  fold.save();
  yield;
  const committed = store.tables.deployments.get(id)!;
  const startedRows = started.map((key) => tx.get('targets', key)!).filter((t) => t.state === 'sent');
  if (startedRows.length) {
    const decided = { ...committed, rollout: { ...rollout, state: committed.rollout.state } };
    const zones = startedRows.map((t) => tx.get('devices', t.deviceId)!.timeZone);
    invariants.started(decided, startedRows, seen, zones, now);
    invariants.undoes(row, startedRows, store);
  }
  if (event.type === 'resume' && committed.rollout.state === 'halted') invariants.resumed(committed, seen);
  connection.commit(tx, fold.changes);
  invariants.committed(
    store.tables.deployments.get(id)!,
    targetsIn(store, id),
    connection.surroundings.now(),
  );
}
