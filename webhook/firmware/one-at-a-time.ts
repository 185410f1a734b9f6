/** Long work on what a copy has claimed, beside the steps of `background.ts`: they go on meanwhile. */
import type { Context } from '../context.ts';

/** A step of that name, which begins the next piece unless one is under way. `work` never rejects. */
export function oneAtATime<Claimed>(
  name: string,
  claim: (context: Context) => Promise<Claimed | undefined>,
  work: (context: Context, claimed: Claimed) => Promise<void>,
): (context: Context) => Promise<boolean> {
  let busy = false;
  const step = async (context: Context): Promise<boolean> => {
    if (busy || context.closing.aborted) return false;
    const claimed = await claim(context);
    if (claimed === undefined) return false;
    busy = true;
    void work(context, claimed).finally(() => {
      busy = false;
      context.wake();
    });
    return false;
  };
  return Object.defineProperty(step, 'name', { value: name });
}
