/**
 * Virtual time for a whole process: Date and timers are faked, and every source of chance is a seeded one, so that a schedule replays
 * exactly. Time passes only while nobody computes: what is under way (`busy`) is waited for in real time.
 */
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import FakeTimers from '@sinonjs/fake-timers';
import type { Random } from '../primitives/random.ts';

const realImmediate = setImmediate;

/** The process's own time, of which there is one: `open` it, play, `close` it. */
export class VirtualTime {
  readonly #timers: ReturnType<typeof FakeTimers.install>;
  readonly #real = {
    randomUUID: crypto.randomUUID,
    randomBytes: crypto.randomBytes,
  };
  readonly #realRandom = Math.random;
  #busy = 0;
  /** So many have been due so far. */
  timers = 0;

  constructor(startMs: number, random: Random) {
    this.#timers = FakeTimers.install({
      now: startMs,
      toFake: ['Date', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'],
      loopLimit: 1_000_000,
    });
    const fill = (bytes: number) => {
      const buffer = Buffer.alloc(bytes);
      random.fill(buffer);
      return buffer;
    };
    Math.random = () => random.next();
    crypto.randomBytes = ((bytes: number) => fill(bytes)) as typeof crypto.randomBytes;
    crypto.randomUUID = () => {
      const hex = fill(16).toString('hex');
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
    };
    syncBuiltinESMExports();
  }

  get now(): number {
    return Date.now();
  }

  after(ms: number, work: () => void): void {
    setTimeout(work, ms);
  }

  delay(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  /** Work whose end virtual time waits for. */
  async busy<T>(work: () => Promise<T>): Promise<T> {
    this.#busy++;
    try {
      return await work();
    } finally {
      this.#busy--;
    }
  }

  /** Until nobody computes any more. */
  async settle(): Promise<void> {
    for (let idle = 0; idle < 2; idle = this.#busy > 0 ? 0 : idle + 1) {
      await new Promise<void>((resolve) => void realImmediate(resolve));
    }
  }

  /** Timer after timer, until it is over, nothing is due before `untilMs`, or `onStep` throws. */
  async run(untilMs: number, isOver: () => boolean, onStep: () => Promise<void>): Promise<void> {
    for (;;) {
      await this.settle();
      await onStep();
      if (isOver() || this.#timers.countTimers() === 0 || Date.now() >= untilMs) return;
      this.timers++;
      this.#timers.next();
    }
  }

  close(): void {
    this.#timers.uninstall();
    Math.random = this.#realRandom;
    Object.assign(crypto, this.#real);
    syncBuiltinESMExports();
  }
}
