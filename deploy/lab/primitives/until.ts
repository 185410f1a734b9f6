/** Between two looks: soon at first, then a twentieth of what has been waited. Who looks all the time takes from who is waited for. */
const firstMs = 10;
const longestMs = 50;

/** Resolves with the first value that is truthy. Rejects after `timeoutMs`, with `what` was waited for. */
export function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  timeoutMs?: number,
): Promise<Exclude<NonNullable<T>, false | 0 | ''>>;
/** Resolves with the first value that is good. Rejects after `timeoutMs`, with the last value. */
export function until<T>(
  read: () => T | Promise<T>,
  good: (value: T) => boolean,
  timeoutMs?: number,
): Promise<T>;
export async function until(
  first: string | (() => unknown),
  // biome-ignore lint/suspicious/noExplicitAny: what the overloads say
  second: (value?: any) => unknown,
  timeoutMs = 60_000,
): Promise<unknown> {
  const read = typeof first === 'string' ? second : first;
  const good = typeof first === 'string' ? Boolean : second;
  const begunAt = Date.now();
  for (;;) {
    const value = await read();
    if (good(value)) return value;
    const waitedMs = Date.now() - begunAt;
    if (waitedMs > timeoutMs) {
      const found = typeof first === 'string' ? first : `last: ${JSON.stringify(value)}`;
      throw new Error(`waited ${timeoutMs} ms in vain: ${found}`);
    }
    const pauseMs = Math.min(longestMs, Math.max(firstMs, waitedMs / 20));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
