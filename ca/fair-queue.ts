import { CaError } from './client.ts';

export interface FairQueueOptions {
  /** Running at the same time. */
  concurrency: number;
  /** Waiting in all, and of one lane, before callers are told to come again. */
  maxWaiting: number;
  maxWaitingPerLane: number;
  /** Of all that waits, by what callers say of its size. */
  maxWaitingBytes: number;
}

export interface FairQueue {
  /**
   * Runs it when its turn comes. Whoever asks is known by a path, the most general first (`[caller, device]`): turns go round the
   * callers, and within a caller round its devices, so that none waits for the whole queue of another.
   * @throws CaError overloaded at once, when it is full
   */
  run<T>(path: readonly [string, string], sizeBytes: number, job: () => Promise<T>): Promise<T>;
  readonly waiting: number;
  readonly waitingBytes: number;
}

interface Job {
  start(): void;
  sizeBytes: number;
}

/** Lanes in the order of their next turn: a Map keeps insertion order, and who had a turn goes to its end. */
type Lanes = Map<string, Map<string, Job[]>>;

export function createFairQueue(options: FairQueueOptions): FairQueue {
  const callers: Lanes = new Map();
  const perCaller = new Map<string, { jobs: number; bytes: number }>();
  let running = 0;
  let waiting = 0;
  let waitingBytes = 0;

  function count(caller: string, jobs: number, bytes: number): void {
    const mine = perCaller.get(caller) ?? { jobs: 0, bytes: 0 };
    const next = { jobs: mine.jobs + jobs, bytes: mine.bytes + bytes };
    if (next.jobs > 0) perCaller.set(caller, next);
    else perCaller.delete(caller);
    waiting += jobs;
    waitingBytes += bytes;
  }

  function takeNext(): Job | undefined {
    const [caller, lanes] = first(callers) ?? [];
    const [name, jobs] = (lanes && first(lanes)) ?? [];
    if (caller === undefined || !lanes || name === undefined || !jobs) return undefined;
    const job = jobs.shift()!;
    lanes.delete(name);
    if (jobs.length > 0) lanes.set(name, jobs);
    callers.delete(caller);
    if (lanes.size > 0) callers.set(caller, lanes);
    count(caller, -1, -job.sizeBytes);
    return job;
  }

  function fill(): void {
    while (running < options.concurrency) {
      const job = takeNext();
      if (!job) return;
      running += 1;
      job.start();
    }
  }

  /** A caller may fill the whole queue while it is alone; who comes later still gets an equal share of it, beyond what is there. */
  function isFull([caller, name]: readonly [string, string], sizeBytes: number): boolean {
    const mine = perCaller.get(caller) ?? { jobs: 0, bytes: 0 };
    const sharers = perCaller.size + (mine.jobs === 0 ? 1 : 0);
    const lane = callers.get(caller)?.get(name)?.length ?? 0;
    return (
      lane >= options.maxWaitingPerLane ||
      mine.jobs >= Math.ceil(options.maxWaiting / sharers) ||
      mine.bytes + sizeBytes > options.maxWaitingBytes / sharers
    );
  }

  return {
    get waiting() {
      return waiting;
    },
    get waitingBytes() {
      return waitingBytes;
    },
    async run(path, sizeBytes, job) {
      if (isFull(path, sizeBytes))
        throw new CaError('overloaded', 'too many requests are waiting; try again');
      const [caller, name] = path;
      const turn = new Promise<void>((start) => {
        const lanes = callers.get(caller) ?? new Map<string, Job[]>();
        const jobs = lanes.get(name) ?? [];
        jobs.push({ start, sizeBytes });
        lanes.set(name, jobs);
        callers.set(caller, lanes);
      });
      count(caller, 1, sizeBytes);
      fill();
      await turn;
      try {
        return await job();
      } finally {
        running -= 1;
        fill();
      }
    },
  };
}

function first<K, V>(map: ReadonlyMap<K, V>): [K, V] | undefined {
  const { value, done } = map.entries().next();
  return done ? undefined : value;
}
