/** Plays seeds in processes of their own, and minds that each comes to an end. */
import { type ChildProcess, fork } from 'node:child_process';
import { program } from '../primitives/programs.js';
import type { Answer, Order, WorkerOptions } from './worker.ts';

export interface Work extends WorkerOptions {
  seeds: number[];
  processes: number;
  /** In real time, for one schedule and for a process to be ready. */
  patienceMs: number;
  onPlayed: (played: NonNullable<Answer>, seed: number) => void;
}

/** What is wrong, with the seed that shows it. */
export class Broken extends Error {
  readonly seed: number;
  constructor(seed: number, problem: string) {
    super(problem);
    this.seed = seed;
  }
}

/** @throws Broken, the first of them: a broken promise, a process that ended, or one that does not come to an end */
export async function playAll(work: Work): Promise<void> {
  const children = Array.from({ length: Math.min(work.processes, work.seeds.length) }, () =>
    startWorker(work),
  );
  const left = work.seeds.values();
  try {
    await Promise.all(children.map((child, i) => playSome(child, work.seeds[i]!, left, work)));
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

/** What is left is shared with other processes. */
async function playSome(child: ChildProcess, first: number, left: Iterator<number>, work: Work) {
  await hear(child, first, work.patienceMs);
  for (let next = left.next(); !next.done; next = left.next()) {
    const seed = next.value;
    child.send({ seed } satisfies Order);
    const played = (await hear(child, seed, work.patienceMs))!;
    work.onPlayed(played, seed);
    if (played.violation !== null) throw new Broken(seed, played.violation);
  }
}

function startWorker({ database, isTold }: WorkerOptions): ChildProcess {
  const options = JSON.stringify({ database, isTold } satisfies WorkerOptions);
  const worker = program(new URL('./worker.ts', import.meta.url));
  return fork(worker.pop()!, [options], {
    // What a schedule makes is soon garbage: with little room for the young, much of it is copied first.
    execArgv: [...worker, '--max-semi-space-size=64'],
  });
}

/** The next message. A process that hangs, or computes without an end, is not waited for. */
function hear(child: ChildProcess, seed: number, patienceMs: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null, signal: string | null) =>
      done(() => reject(new Broken(seed, `its process has ended (${signal ?? code})`)));
    const onMessage = (answer: Answer) => done(() => resolve(answer));
    const timer = setTimeout(
      () => done(() => reject(new Broken(seed, `it has not ended within ${patienceMs / 1000} s`))),
      patienceMs,
    );
    const done = (settle: () => void) => {
      clearTimeout(timer);
      child.off('exit', onExit).off('message', onMessage);
      settle();
    };
    child.once('exit', onExit).once('message', onMessage);
  });
}
