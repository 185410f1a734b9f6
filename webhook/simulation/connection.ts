/** What a copy of the webhook has: its surroundings, and its transactions, which end with it. */
import type { step, Target } from '../deployments/machine.ts';
import type { stepRollout } from '../deployments/rollout.ts';
import type { Uplink } from './device.ts';
import { Fold } from './fold.ts';
import { type Invariants, Violation } from './invariants.ts';
import { type DeploymentRow, type OutboxRow, type Store, Transaction } from './store.ts';
import { targetsIn } from './targets.ts';

/** The parts that a test may break on purpose. */
export interface Machines {
  /** Off: attempts start, and are sent, outside of the maintenance window too. */
  keepsWindows: boolean;
  /** Off: what a newer deployment has overtaken is sent all the same. */
  leavesOvertaken: boolean;
  /** Off: an update of one component overtakes one of another. */
  keepsComponentsApart: boolean;
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

export class Connection {
  readonly surroundings: Surroundings;
  readonly #open = new Set<Transaction>();

  constructor(surroundings: Surroundings) {
    this.surroundings = surroundings;
  }

  /** The copy is gone, and the database notices. */
  close(): void {
    for (const tx of this.#open) tx.rollBack();
    this.#open.clear();
  }

  begin(): Transaction {
    const tx = new Transaction(this.surroundings.store);
    this.#open.add(tx);
    return tx;
  }

  end(tx: Transaction): void {
    tx.rollBack();
    this.#open.delete(tx);
  }

  commit(tx: Transaction, changes: { before: Target; after: Target }[]): void {
    const { store, invariants, now, trace } = this.surroundings;
    tx.commit();
    this.#open.delete(tx);
    const moved = new Set<string>();
    for (const { before, after } of changes) {
      invariants.changed(before, after, store);
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

  *lock(tx: Transaction, key: string): Work {
    for (let waited = 0; !tx.lock(key); waited++) {
      if (waited > waitsAtMost) throw new Violation(`deadlock on ${key}`);
      yield;
    }
  }

  fold(tx: Transaction): Fold {
    return new Fold(tx, this.surroundings);
  }
}
