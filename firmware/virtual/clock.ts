import type { Clock } from './port.ts';

/** Of this machine. */
export const realClock: Clock = {
  now: () => performance.now(),
  unixMs: () => Date.now(),
  after: (delayMs, task) => {
    if (delayMs <= 0) {
      const soon = setImmediate(task);
      return () => clearImmediate(soon);
    }
    const timer = setTimeout(task, delayMs);
    return () => clearTimeout(timer);
  },
};
