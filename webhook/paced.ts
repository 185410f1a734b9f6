/** A step of `background.ts` that rests between two runs, by the steady clock: one that is set back must not put it to sleep. */
export interface Pace {
  everyMs: number;
  /** After `failed`, or when it throws; left out: as `everyMs`. */
  retryMs?: number;
  /** Before the first run. */
  firstMs?: number;
}

/** `more`: it is due again at once. */
export type Outcome = 'done' | 'more' | 'failed';

/** Returns a step with the name of `work`, which the log tells; each copy needs its own. A step returns whether there is more to do. */
export function paced<C>(
  { everyMs, retryMs = everyMs, firstMs = 0 }: Pace,
  work: (context: C) => Promise<Outcome>,
): (context: C) => Promise<boolean> {
  let dueAt = performance.now() + firstMs;
  const rest = (ms: number) => {
    dueAt = performance.now() + ms;
  };
  const step = async (context: C): Promise<boolean> => {
    if (performance.now() < dueAt) return false;
    try {
      const outcome = await work(context);
      if (outcome !== 'more') rest(outcome === 'done' ? everyMs : retryMs);
      return outcome === 'more';
    } catch (error) {
      rest(retryMs);
      throw error;
    }
  };
  return Object.defineProperty(step, 'name', { value: work.name });
}
