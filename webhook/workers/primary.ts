/**
 * One copy on several cores: this process only starts workers, which share both ports. Each is a whole copy in all else (its own
 * loops, connections and queue), so what holds for copies holds for them.
 */
import cluster, { type Worker } from 'node:cluster';
import type { Log } from '../log.ts';
import { addUp, lastingOf, nothing, type Snapshot } from '../metrics/snapshot.ts';
import type { FromPrimary, FromWorker } from './messages.ts';

const firstPauseMs = 250;
const maxPauseMs = 30_000;
/** Whoever has lived for so long did not die of how it was started. */
const healthyMs = 30_000;
/** One that hangs is told of by what it said last. */
const tellMs = 2_000;

export interface Primary {
  /** Replaces all workers, one after the other, each when its successor listens. */
  restart(): Promise<void>;
  /** Resolves when all have ended what they were doing. */
  stop(): Promise<void>;
}

/** Resolves when all of them listen. Rejects when one ends before: what keeps it from starting would keep every other. */
export async function startPrimary(
  count: number,
  log: Log,
  fork: () => Worker = () => cluster.fork(),
): Promise<Primary> {
  const known = new Map<Worker, Snapshot>();
  let gone = nothing;
  let stopping = false;
  let deaths = 0;
  let asked = 0;
  const told = new Map<number, (worker: Worker) => void>();
  /** That are replaced when they end. */
  const wanted = new Set<Worker>();

  function start(worker = fork()): Promise<Worker> {
    const since = performance.now();
    known.set(worker, nothing);
    return new Promise((resolve, reject) => {
      worker.on('message', (message: FromWorker) => {
        if (message.type === 'ready') {
          log('info', 'worker listens', { worker: worker.process.pid, ...message });
          wanted.add(worker);
          resolve(worker);
        } else if (message.type === 'gather') void answer(worker, message.id);
        // One that has gone may be heard once more after its end.
        else if (message.type === 'snapshot' && known.has(worker)) {
          known.set(worker, message.snapshot);
          told.get(message.id)?.(worker);
        }
      });
      worker.once('exit', (code, signal) => {
        gone = addUp([gone, lastingOf(known.get(worker)!)]);
        known.delete(worker);
        for (const tell of told.values()) tell(worker);
        reject(new Error(`worker ${worker.process.pid} has ended with ${signal ?? code}`));
        if (!wanted.delete(worker) || stopping) return;
        deaths = performance.now() - since > healthyMs ? 1 : deaths + 1;
        const pauseMs = Math.min(maxPauseMs, firstPauseMs * 2 ** (deaths - 1));
        log('error', 'worker has ended and is replaced', {
          worker: worker.process.pid,
          code,
          signal,
          pauseMs,
        });
        setTimeout(replace, pauseMs);
      });
    });
  }

  function replace(): void {
    if (stopping) return;
    const worker = fork();
    wanted.add(worker);
    start(worker).catch(() => {});
  }

  async function answer(to: Worker, id: number): Promise<void> {
    const question = ++asked;
    const missing = new Set(known.keys());
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, tellMs);
      told.set(question, (worker) => {
        missing.delete(worker);
        if (missing.size > 0) return;
        clearTimeout(timer);
        resolve();
      });
      for (const worker of missing) send(worker, { type: 'tell', id: question });
    });
    told.delete(question);
    send(to, { type: 'gathered', id, snapshots: [gone, ...known.values()] });
  }

  function end(worker: Worker): Promise<void> {
    wanted.delete(worker);
    if (worker.isDead()) return Promise.resolve();
    return new Promise((resolve) => {
      worker.once('exit', () => resolve());
      worker.process.kill('SIGTERM');
    });
  }

  async function stop(): Promise<void> {
    stopping = true;
    await Promise.all([...known.keys()].map(end));
  }

  try {
    await Promise.all(Array.from({ length: count }, () => start()));
  } catch (error) {
    await stop();
    throw error;
  }
  let restarting = Promise.resolve();
  return {
    stop,
    restart() {
      restarting = restarting.then(async () => {
        for (const old of [...known.keys()]) {
          if (stopping) return;
          if (!wanted.has(old)) continue;
          try {
            const fresh = await start();
            // Should it have died meanwhile, another has its place.
            await end(wanted.has(old) ? old : fresh);
          } catch (error) {
            log('error', 'restart given up: the new worker has not started, the old ones go on', { error });
            return;
          }
        }
      });
      return restarting;
    },
  };
}

function send(worker: Worker, message: FromPrimary): void {
  // One that has just ended is not asked for anything.
  if (worker.isConnected()) worker.send(message, () => {});
}
