/**
 * One call for all who ask: whoever comes while it is under way, or within `restMs` (by how long it took) after it, gets the same
 * answer. A failure is not kept.
 */
export function share<T>(load: () => Promise<T>, restMs: (tookMs: number) => number): () => Promise<T> {
  let latest: Promise<T> | null = null;
  let until = 0;
  return () => {
    if (latest && performance.now() < until) return latest;
    const startedAt = performance.now();
    until = Number.POSITIVE_INFINITY;
    const loading = load();
    latest = loading;
    const done = (keepMs: number) => {
      until = performance.now() + keepMs;
    };
    loading.then(
      () => done(restMs(performance.now() - startedAt)),
      () => done(0),
    );
    return loading;
  };
}
