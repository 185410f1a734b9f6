/** All timers of one life of a device, so that it can end at any moment and leave none behind. */
export class Timers {
  readonly #running = new Set<NodeJS.Timeout>();
  readonly #run: (task: () => void) => void;
  #stopped = false;

  /** `run` is called with each task; it decides what an exception means. */
  constructor(run: (task: () => void) => void) {
    this.#run = run;
  }

  /** Returns a function that takes the task back. */
  after(delayMs: number, task: () => void): () => void {
    if (this.#stopped) return () => {};
    const timer = setTimeout(() => {
      this.#running.delete(timer);
      this.#run(task);
    }, delayMs);
    this.#running.add(timer);
    return () => {
      clearTimeout(timer);
      this.#running.delete(timer);
    };
  }

  /** Resolves after the delay, at once when aborted, never when the life has ended. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        cancel();
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const cancel = this.after(delayMs, wake);
      signal?.addEventListener('abort', wake);
    });
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#running) clearTimeout(timer);
    this.#running.clear();
  }
}

/** Exponential back-off with jitter over its upper half. `tries` counts from 0. */
export function backoffMs(tries: number, minMs: number, maxMs: number, random: () => number): number {
  const full = Math.min(maxMs, minMs * 2 ** Math.min(tries, 30));
  return full * (0.5 + random() / 2);
}
