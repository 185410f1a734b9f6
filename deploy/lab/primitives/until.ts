const betweenMs = 10;

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
  timeoutMs = 20_000,
): Promise<unknown> {
  const read = typeof first === 'string' ? second : first;
  const good = typeof first === 'string' ? Boolean : second;
  for (const deadline = Date.now() + timeoutMs; ; ) {
    const value = await read();
    if (good(value)) return value;
    if (Date.now() > deadline) {
      const found = typeof first === 'string' ? first : `last: ${JSON.stringify(value)}`;
      throw new Error(`waited ${timeoutMs} ms in vain: ${found}`);
    }
    await new Promise((resolve) => setTimeout(resolve, betweenMs));
  }
}
