/**
 * Whoever has nothing to do waits. A loop of the webhook that looks again and again, or a timer that is set for now by itself, would keep
 * a real system busy, and a schedule from its end.
 */
import { Violation } from './committed.ts';

const withinMs = 10_000;
/** Several times what the busiest seconds of the largest fleet need. */
const most = { statements: 6_000, timers: 20_000 };

type Work = Record<keyof typeof most, number>;

export class Rest {
  #since = Number.NEGATIVE_INFINITY;
  #before: Work = { statements: 0, timers: 0 };

  /** `done`: so much since the schedule has begun. */
  look(now: number, done: Work): void {
    if (now - this.#since >= withinMs) {
      this.#since = now;
      this.#before = { ...done };
    }
    for (const what of Object.keys(most) as (keyof Work)[]) {
      const n = done[what] - this.#before[what];
      if (n > most[what])
        throw new Violation(`the system does not come to rest: ${n} ${what} within ${withinMs / 1000} s`);
    }
  }
}
