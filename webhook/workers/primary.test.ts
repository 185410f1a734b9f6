/** The primary beside workers that do what no real one can be made to do. */
import type { Worker } from 'node:cluster';
import { EventEmitter } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { nothing } from '../metrics/snapshot.ts';
import type { FromPrimary, FromWorker } from './messages.ts';
import { type Primary, startPrimary } from './primary.ts';

class FakeWorker extends EventEmitter {
  readonly heard: FromPrimary[] = [];
  readonly process = { pid: 1, kill: () => this.end() };
  private dead = false;
  isDead = () => this.dead;
  isConnected = () => !this.dead;
  send(message: FromPrimary): void {
    this.heard.push(message);
    if (message.type === 'tell') this.say({ type: 'snapshot', id: message.id, snapshot: nothing });
  }
  say(message: FromWorker): void {
    this.emit('message', message);
  }
  end(): void {
    this.dead = true;
    this.emit('exit', 0, null);
  }
}

let primary: Primary;
afterEach(() => primary.stop());

test('what a worker said last is no worker, when its end was heard before', async () => {
  const workers: FakeWorker[] = [];
  primary = await startPrimary(
    2,
    () => {},
    () => {
      const worker = new FakeWorker();
      workers.push(worker);
      setImmediate(() => worker.say({ type: 'ready', url: '', internalPort: 1 }));
      return worker as unknown as Worker;
    },
  );
  const [asking, ending] = workers as [FakeWorker, FakeWorker];
  ending.end();
  ending.say({ type: 'snapshot', id: 99, snapshot: nothing });
  await until('a successor', () => workers.length === 3);
  asking.say({ type: 'gather', id: 7 });
  const answer = await until('the answer', () => asking.heard.find((one) => one.type === 'gathered'));
  // Of those that are, and of all that have gone.
  expect(answer).toEqual({ type: 'gathered', id: 7, snapshots: [nothing, nothing, nothing] });
});
