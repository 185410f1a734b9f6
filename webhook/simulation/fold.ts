/** The store's `Fold` on the model: events into targets, then rows of the outbox and marks. */
import type { Target, TargetEvent } from '../deployments/machine.ts';
import { isActive } from '../deployments/states.ts';
import type { Surroundings } from './connection.ts';
import type { Transaction } from './store.ts';

export class Fold {
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
