/**
 * What a copy of the webhook does, statement by statement, around the real machines. Every `yield` is a place between two statements:
 * other copies may work there, and this one may die there.
 */
import type { RolloutEvent } from '../deployments/rollout.ts';
import { Connection, type Input, type Surroundings, type Work } from './connection.ts';
import { ingest } from './ingest.ts';
import { send } from './outbox.ts';
import { advance, operate } from './rollouts.ts';
import type { TargetRow } from './store.ts';
import { markJoinable } from './targets.ts';

export class Copy {
  readonly #connection: Connection;

  constructor(surroundings: Surroundings) {
    this.#connection = new Connection(surroundings);
  }

  die(): void {
    this.#connection.close();
  }

  ingest(inputs: Input[]): Work {
    return ingest(this.#connection, inputs);
  }

  operate(deploymentId: string, event: RolloutEvent): Work {
    return operate(this.#connection, deploymentId, event);
  }

  move(deviceId: string, deploymentId: string): Work {
    return move(this.#connection, deviceId, deploymentId);
  }

  /** One turn of the dispatcher's loop. */
  *dispatch(): Work {
    yield* timeOut(this.#connection);
    yield* advance(this.#connection);
    yield* send(this.#connection);
  }
}

/** An admin moves a device to where a selection finds it. */
function* move(connection: Connection, deviceId: string, deploymentId: string): Work {
  const { store, invariants, now } = connection.surroundings;
  const tx = connection.begin();
  yield* connection.lock(tx, `device:${deviceId}`);
  const device = tx.get('devices', deviceId)!;
  tx.set('devices', deviceId, { ...device, matches: [...device.matches, deploymentId] });
  yield;
  markJoinable(tx, store);
  yield;
  connection.commit(tx, []);
  invariants.matched(deploymentId, deviceId, now());
}

function* timeOut(connection: Connection): Work {
  const { store, now } = connection.surroundings;
  const isDue = (t: TargetRow) => t.deadlineAt !== null && t.deadlineAt <= now();
  if (![...store.tables.targets.values()].some(isDue)) return;
  const tx = connection.begin();
  const fold = connection.fold(tx);
  for (const [key] of [...tx.scan('targets')].filter(([, t]) => isDue(t))) {
    if (tx.lock(`target:${key}`) && isDue(tx.get('targets', key)!)) fold.apply(key, { type: 'tick' });
  }
  yield;
  fold.save();
  yield;
  connection.commit(tx, fold.changes);
}
