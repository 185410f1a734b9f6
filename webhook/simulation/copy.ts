/**
 * What a copy of the webhook does, statement by statement, around the real machines. Every `yield` is a place between two statements:
 * other copies may work there, and this one may die there.
 */
import type { step, Target, TargetEvent } from '../deployments/machine.ts';
import {
  isGateOverdue,
  type RolloutAction,
  type RolloutEvent,
  type stepRollout,
} from '../deployments/rollout.ts';
import { isActive, isOpen } from '../deployments/states.ts';
import { isOpen as isWindowOpen, nextOpening } from '../deployments/window.ts';
import type { Seq, Uplink } from './device.ts';
import { type Invariants, Violation } from './invariants.ts';
import { type DeploymentRow, type OutboxRow, type Store, type TargetRow, Transaction } from './store.ts';
import { closedMs, join, nextLook, resolve, tallyUp, targetsIn, targetsOf } from './targets.ts';

/** The parts that a test may break on purpose. */
export interface Machines {
  /** Off: attempts start, and are sent, outside of the maintenance window too. */
  keepsWindows: boolean;
  /** Off: what a newer deployment has overtaken is sent all the same. */
  leavesOvertaken: boolean;
  step: typeof step;
  stepRollout: typeof stepRollout;
  /** Off: dispatchers do not lock the deployment's row, and a message is not remembered. */
  locksRollouts: boolean;
  remembers: boolean;
}

export type Input = Uplink | { subscribed: string };
export type Outcome = 'routed' | 'no_subscriber' | 'failed';
export interface Surroundings {
  store: Store;
  machines: Machines;
  invariants: Invariants;
  now(): number;
  publish(row: OutboxRow, deployment: DeploymentRow): Outcome;
  acknowledge(deviceId: string, ids: string[]): void;
  trace(text: () => string): void;
}

/** One piece of work; it ends by itself or is dropped when its copy dies, and `transactions` are then rolled back. */
export type Work = Generator<void, void, void>;

const waitsAtMost = 50_000;
const leaseMs = 30_000;
const sweepEveryMs = 10_000;

export class Copy {
  readonly #s: Surroundings;
  readonly #open = new Set<Transaction>();

  constructor(surroundings: Surroundings) {
    this.#s = surroundings;
  }

  die(): void {
    for (const tx of this.#open) tx.rollBack();
    this.#open.clear();
  }

  *ingest(inputs: Input[]): Work {
    const { machines, invariants } = this.#s;
    const tx = this.#begin();
    const critical = inputs.filter((i): i is Uplink => 'event' in i && i.seq !== null);
    const fresh = new Set<Input>();
    for (const key of [...new Set(critical.map(keyOf))].sort()) {
      yield* this.#lock(tx, `message:${key}`);
      if (machines.remembers && tx.get('received', key)) continue;
      fresh.add(critical.find((m) => keyOf(m) === key)!);
      tx.set('received', key, true);
    }
    yield;
    const accepted = inputs.filter((i) => !('event' in i) || i.seq === null || fresh.has(i));
    const ids = [...new Set(accepted.map((i) => ('event' in i ? i.deviceId : i.subscribed)))].sort();
    for (const id of ids) yield* this.#lock(tx, `device:${id}`);
    for (const input of accepted) {
      if ('event' in input) continue;
      tx.set('devices', input.subscribed, { ...tx.get('devices', input.subscribed)!, reachable: true });
      for (const [id, row] of [...tx.scan('outbox')]) {
        if (row.deviceId === input.subscribed && row.sendAt === null) {
          tx.set('outbox', id, { ...row, sendAt: this.#s.now() });
        }
      }
    }
    yield;
    const keys: string[] = [];
    for (const [key, t] of tx.scan('targets')) {
      const named = accepted.some((i) => 'event' in i && key === `${i.deploymentId}/${i.deviceId}`);
      if (named || (ids.includes(t.deviceId) && (isOpen(t.state) || t.state === 'timed_out'))) keys.push(key);
    }
    for (const key of keys.sort()) yield* this.#lock(tx, `target:${key}`);
    const fold = this.#fold(tx);
    const sorted = accepted.filter((i) => 'event' in i).sort((a, b) => compare(a.seq, b.seq));
    for (const message of sorted) {
      const device = tx.get('devices', message.deviceId)!;
      const outdated = message.seq !== null && compare(device.seq, message.seq) > 0;
      if (message.deploymentId) fold.apply(`${message.deploymentId}/${message.deviceId}`, message.event);
      else if (!outdated && !message.ofUpdate) {
        for (const key of keys) if (key.endsWith(`/${message.deviceId}`)) fold.apply(key, message.event);
      }
      const reports = message.event.type === 'booted' || message.event.type === 'result';
      if (message.seq && !outdated && reports) {
        tx.set('devices', message.deviceId, { ...device, running: message.running, seq: message.seq });
      }
    }
    for (const input of accepted) {
      if ('event' in input) continue;
      for (const key of keys) {
        if (key.endsWith(`/${input.subscribed}`)) fold.apply(key, { type: 'subscribed' });
      }
    }
    fold.save();
    yield;
    this.#commit(tx, fold.changes);
    for (const message of fresh) invariants.handled(keyOf(message as Uplink));
    yield;
    const byDevice = new Map<string, string[]>();
    for (const m of critical) byDevice.set(m.deviceId, [...(byDevice.get(m.deviceId) ?? []), m.id]);
    for (const [deviceId, acked] of byDevice) this.#s.acknowledge(deviceId, acked);
  }

  *operate(deploymentId: string, event: RolloutEvent): Work {
    const tx = this.#begin();
    yield* this.#lock(tx, `deployment:${deploymentId}`);
    yield* this.#run(tx, deploymentId, event);
  }

  /** An admin moves a device to where a selection finds it. */
  *move(deviceId: string, deploymentId: string): Work {
    const tx = this.#begin();
    yield* this.#lock(tx, `device:${deviceId}`);
    const device = tx.get('devices', deviceId)!;
    tx.set('devices', deviceId, { ...device, matches: [...device.matches, deploymentId] });
    yield;
    for (const [id, { rollout }] of tx.scan('deployments')) {
      if (rollout.finishedAt === null && rollout.policy.lateJoinersMs !== null)
        tx.set('marks', this.#s.store.nextId(), { deploymentId: id, joins: true });
    }
    yield;
    this.#commit(tx, []);
  }

  /** One turn of the dispatcher's loop. */
  *dispatch(): Work {
    yield* this.#timeOut();
    yield* this.#advance();
    yield* this.#send();
  }

  *#timeOut(): Work {
    const { store, now } = this.#s;
    const isDue = (t: TargetRow) => t.deadlineAt !== null && t.deadlineAt <= now();
    if (![...store.tables.targets.values()].some(isDue)) return;
    const tx = this.#begin();
    const fold = this.#fold(tx);
    for (const [key] of [...tx.scan('targets')].filter(([, t]) => isDue(t))) {
      if (tx.lock(`target:${key}`) && isDue(tx.get('targets', key)!)) fold.apply(key, { type: 'tick' });
    }
    yield;
    fold.save();
    yield;
    this.#commit(tx, fold.changes);
  }

  *#advance(): Work {
    const { store, now, machines } = this.#s;
    const marked = new Set([...store.tables.marks.values()].map((m) => m.deploymentId));
    for (const { id } of [...store.tables.deployments.values()]) {
      const isDue = () => {
        const row = store.tables.deployments.get(id)!;
        if (row.rollout.finishedAt !== null) return false;
        return marked.has(id) || (row.nextLookAt !== null && row.nextLookAt <= now());
      };
      if (!isDue()) continue;
      const tx = this.#begin();
      if (machines.locksRollouts && (!tx.lock(`deployment:${id}`) || !isDue())) {
        this.#end(tx);
        continue;
      }
      yield;
      yield* this.#run(tx, id, { type: 'tick' });
    }
  }

  /** As `rollouts.ts` does it: marks away, tally, machine, actions, row. */
  *#run(tx: Transaction, id: string, event: RolloutEvent): Work {
    const { machines, invariants, store } = this.#s;
    const row = tx.get('deployments', id)!;
    let registryChanged = false;
    for (const [key, mark] of [...tx.scan('marks')]) {
      if (mark.deploymentId !== id) continue;
      tx.set('marks', key, undefined);
      registryChanged ||= mark.joins ?? false;
    }
    yield;
    const now = this.#s.now();
    const seen = targetsOf(tx, id);
    const tallies = tallyUp(seen, isGateOverdue(row.rollout, now));
    const isTick = event.type === 'tick';
    const asked = isTick ? { ...event, registryChanged } : event;
    let { rollout, actions } = machines.stepRollout(row.rollout, tallies, asked, now);
    let soon: number | null = isTick ? null : now;
    let sweptAt = isTick ? row.sweptAt : null;
    let opensAt: number | null = null;
    const fold = this.#fold(tx);
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
        soon = now;
      } else if (action.type === 'join') {
        if (join(tx, row, action.wave, invariants)) {
          soon = now;
          sweptAt = null;
        }
      } else if (action.type === 'dispatch') {
        const { window } = row.rollout.policy;
        if (window && machines.keepsWindows) {
          const zones = new Set([...tx.scan('devices')].map(([, d]) => d.timeZone));
          const openings = [...zones].map((zone) => nextOpening(window, zone, now) ?? now + closedMs);
          if (openings.every((at) => at > now)) {
            opensAt = Math.min(...openings);
            continue;
          }
        }
        const sweep = () => {
          if (!machines.leavesOvertaken) return;
          if (this.#supersede(tx, fold, row) > 0) soon = now;
          sweptAt = now;
        };
        if (sweptAt === null) sweep();
        yield;
        const startable = this.#startable(tx, row, action.upToWave, now).slice(0, action.limit);
        for (const key of startable) {
          const { deviceId } = tx.get('targets', key)!;
          // The unique index: whoever comes second waits, and finds it taken.
          yield* this.#lock(tx, `active:${deviceId}`);
          const taken = [...tx.scan('targets')].some(
            ([other, t]) => other !== key && t.deviceId === deviceId && isActive(t.state),
          );
          if (taken) return this.#end(tx);
          fold.apply(key, { type: 'dispatch' }, now);
          started.push(key);
        }
        rollout = machines.stepRollout(
          rollout,
          tallies,
          { type: 'dispatched', count: started.length },
          now,
        ).rollout;
        if (started.length) soon ??= now + (started.length === action.limit ? 0 : 500);
        if (startable.length < action.limit && now - (sweptAt ?? 0) >= sweepEveryMs) sweep();
      } else {
        const targetEvent: TargetEvent =
          action.type === 'cancel_targets' ? { type: 'cancel' } : { type: 'retry' };
        for (const key of seen.map((t) => `${id}/${t.deviceId}`).sort()) {
          yield* this.#lock(tx, `target:${key}`);
          fold.apply(key, targetEvent);
        }
        soon = now;
      }
    }
    const finished = rollout.finishedAt !== null;
    tx.set('deployments', id, {
      ...row,
      rollout,
      sweptAt,
      nextLookAt: finished ? null : (soon ?? nextLook(rollout, tallies, seen, opensAt, now)),
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
    this.#commit(tx, fold.changes);
    invariants.committed(store.tables.deployments.get(id)!, targetsIn(store, id), this.#s.now());
  }

  #supersede(tx: Transaction, fold: Fold, row: DeploymentRow): number {
    let superseded = 0;
    const all = [...tx.scan('targets')];
    for (const [key, t] of all) {
      if (t.state !== 'pending') continue;
      const mine = tx.get('deployments', t.deploymentId)!;
      const overtaken = all.some(([, o]) => {
        if (o.deviceId !== t.deviceId || (t.deploymentId !== row.id && o.deploymentId !== row.id))
          return false;
        const newer = tx.get('deployments', o.deploymentId)!;
        if (newer.order <= mine.order) return false;
        return (
          isActive(o.state) ||
          o.state === 'succeeded' ||
          (o.state === 'pending' && newer.rollout.state === 'running')
        );
      });
      if (!overtaken || !tx.lock(`target:${key}`)) continue;
      fold.apply(key, { type: 'supersede' });
      superseded++;
    }
    return superseded;
  }

  #startable(tx: Transaction, row: DeploymentRow, upToWave: number, now: number): string[] {
    const all = [...tx.scan('targets')];
    const mine = all.filter(([, t]) => {
      if (t.deploymentId !== row.id || t.state !== 'pending' || t.wave > upToWave) return false;
      const device = tx.get('devices', t.deviceId)!;
      if ((t.nextAttemptAt ?? 0) > now || !device.reachable) return false;
      const { window } = row.rollout.policy;
      if (window && this.#s.machines.keepsWindows && !isWindowOpen(window, device.timeZone, now))
        return false;
      return !all.some(([, o]) => {
        if (o.deviceId !== t.deviceId || o.deploymentId === row.id) return false;
        if (isActive(o.state)) return true;
        if (!this.#s.machines.leavesOvertaken) return false;
        const other = tx.get('deployments', o.deploymentId)!;
        if (o.state === 'succeeded') return other.order > row.order;
        return o.state === 'pending' && other.rollout.state === 'running';
      });
    });
    mine.sort(([a, s], [b, t]) => s.wave - t.wave || (a < b ? -1 : 1));
    // Claimed by skipping what others hold, then read again.
    return mine
      .map(([key]) => key)
      .filter((key) => tx.lock(`target:${key}`) && tx.get('targets', key)!.state === 'pending');
  }

  *#send(): Work {
    const { store, now } = this.#s;
    const isDue = (row: OutboxRow | undefined) => row && row.sendAt !== null && row.sendAt <= now();
    if (![...store.tables.outbox.values()].some(isDue)) return;
    const claim = this.#begin();
    const claimed: OutboxRow[] = [];
    for (const [id, row] of [...claim.scan('outbox')].filter(([, r]) => isDue(r))) {
      if (!claim.lock(`outbox:${id}`) || !isDue(claim.get('outbox', id))) continue;
      claim.set('outbox', id, { ...row, sendAt: now() + leaseMs });
      claimed.push(row);
    }
    this.#commit(claim, []);
    yield;
    const isAlive = (row: OutboxRow) => {
      if (row.type === 'cancel') return true;
      const t = store.tables.targets.get(`${row.deploymentId}/${row.deviceId}`)!;
      const { window } = store.tables.deployments.get(row.deploymentId)!.rollout.policy;
      const { timeZone } = store.tables.devices.get(row.deviceId)!;
      const starts = t.state === 'sent' && window && this.#s.machines.keepsWindows;
      if (starts && !isWindowOpen(window, timeZone, now())) return false;
      return t.attempt === row.attempt && isActive(t.state) && t.state !== 'cancelling';
    };
    const alive = new Set(claimed.filter(isAlive));
    yield;
    for (const row of claimed) {
      const outcome = alive.has(row)
        ? this.#s.publish(row, store.tables.deployments.get(row.deploymentId)!)
        : 'routed';
      const tx = this.#begin();
      if (outcome === 'no_subscriber' && row.type === 'cancel') {
        yield* this.#lock(tx, `device:${row.deviceId}`);
        const { reachable } = tx.get('devices', row.deviceId)!;
        tx.set('outbox', row.id, { ...row, sendAt: reachable ? now() + 5_000 : null });
      } else if (outcome === 'failed') tx.set('outbox', row.id, { ...row, sendAt: now() + 5_000 });
      else tx.set('outbox', row.id, undefined);
      this.#commit(tx, []);
      yield;
    }
  }

  #begin(): Transaction {
    const tx = new Transaction(this.#s.store);
    this.#open.add(tx);
    return tx;
  }

  #end(tx: Transaction): void {
    tx.rollBack();
    this.#open.delete(tx);
  }

  #commit(tx: Transaction, changes: { before: Target; after: Target }[]): void {
    const { store, invariants, now, trace } = this.#s;
    tx.commit();
    this.#open.delete(tx);
    const moved = new Set<string>();
    for (const { before, after } of changes) {
      invariants.changed(before, after);
      moved.add(after.deploymentId);
      if (before.state !== after.state) {
        trace(
          () =>
            `${after.deploymentId}/${after.deviceId} ${before.state} → ${after.state} (attempt ${after.attempt})`,
        );
      }
    }
    for (const id of moved)
      invariants.committed(store.tables.deployments.get(id)!, targetsIn(store, id), now());
  }

  *#lock(tx: Transaction, key: string): Work {
    for (let waited = 0; !tx.lock(key); waited++) {
      if (waited > waitsAtMost) throw new Violation(`deadlock on ${key}`);
      yield;
    }
  }

  #fold(tx: Transaction): Fold {
    return new Fold(tx, this.#s);
  }
}

/** The store's `Fold` on the model: events into targets, then rows of the outbox and marks. */
class Fold {
  readonly changes: { before: Target; after: Target }[] = [];
  readonly #tx: Transaction;
  readonly #s: Surroundings;
  readonly #marks = new Set<string>();
  readonly #freed = new Set<string>();

  constructor(tx: Transaction, surroundings: Surroundings) {
    this.#tx = tx;
    this.#s = surroundings;
  }

  apply(key: string, event: TargetEvent, now = this.#s.now()): void {
    const before = this.#tx.get('targets', key);
    if (!before) return;
    const { target: after, commands } = this.#s.machines.step(before, event, now);
    for (const { type, attempt } of commands) {
      const id = this.#s.store.nextId();
      const { deviceId, deploymentId } = before;
      this.#tx.set('outbox', id, { id, type, deviceId, deploymentId, attempt, sendAt: now });
    }
    const moved = after.state !== before.state || after.attempt !== before.attempt;
    if (moved || (event.type === 'subscribed' && after.state === 'pending'))
      this.#marks.add(after.deploymentId);
    if (isActive(before.state) && !isActive(after.state)) this.#freed.add(after.deviceId);
    if (after === before) return;
    this.#tx.set('targets', key, { ...after, wave: before.wave });
    this.changes.push({ before, after });
  }

  save(): void {
    for (const [, t] of this.#tx.scan('targets')) {
      if (t.state === 'pending' && this.#freed.has(t.deviceId)) this.#marks.add(t.deploymentId);
    }
    for (const deploymentId of this.#marks) {
      this.#tx.set('marks', this.#s.store.nextId(), { deploymentId });
    }
  }
}

export function keyOf(message: Uplink): string {
  return `${message.deviceId}/${message.id}`;
}

function compare(a: Seq | null, b: Seq | null): number {
  if (!a || !b) return (a ? 1 : 0) - (b ? 1 : 0);
  return a[0] - b[0] || a[1] - b[1];
}
