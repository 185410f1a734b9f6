import { onCleanup } from 'solid-js';

/** Does it at once, and again at most every `everyMs` however often it is asked for; the last asking is never lost. */
export function createThrottle(act: () => void, everyMs: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let doneAt = Number.NEGATIVE_INFINITY;
  const run = () => {
    timer = undefined;
    doneAt = performance.now();
    act();
  };
  onCleanup(() => clearTimeout(timer));
  return () => {
    if (timer) return;
    const waitMs = doneAt + everyMs - performance.now();
    if (waitMs <= 0) run();
    else timer = setTimeout(run, waitMs);
  };
}
