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

/** So many keys are remembered, the latest that were asked for. */
const keysKept = 100;

/** The same for each of what has the same key. */
export function shareEach<K, T>(
  keyOf: (of: K) => string,
  load: (of: K) => Promise<T>,
  restMs: (tookMs: number) => number,
): (of: K) => Promise<T> {
  const shared = new Map<string, () => Promise<T>>();
  return (of) => {
    const key = keyOf(of);
    const known = shared.get(key) ?? share(() => load(of), restMs);
    shared.delete(key);
    shared.set(key, known);
    if (shared.size > keysKept) shared.delete(shared.keys().next().value!);
    return known();
  };
}
