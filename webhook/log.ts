/** JSON lines on standard error; the only place that writes them. */
import { AsyncLocalStorage } from 'node:async_hooks';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type Log = (level: LogLevel, message: string, fields?: object) => void;

const rank: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

/** What is logged while a request is handled carries its id, however deep. */
export const requestScope = new AsyncLocalStorage<{ requestId: string }>();
let handled = 0;

/**
 * Once the last request is handled the scope is off again: as long as it is on, Node follows every promise of the process, and the broker's
 * events would pay for it.
 */
export async function inRequest<T>(requestId: string, work: () => Promise<T>): Promise<T> {
  handled += 1;
  try {
    return await requestScope.run({ requestId }, work);
  } finally {
    handled -= 1;
    if (handled === 0) requestScope.disable();
  }
}

export function createLog(
  lowest: LogLevel,
  write: (line: string) => void = (l) => process.stderr.write(l),
): Log {
  return (level, message, fields = {}) => {
    if (rank[level] < rank[lowest]) return;
    const line = {
      at: new Date().toISOString(),
      level,
      message,
      ...requestScope.getStore(),
      ...plain(fields),
    };
    write(`${JSON.stringify(line)}\n`);
  };
}

/** Errors do not survive JSON.stringify: keep what helps to find the cause. */
function plain(fields: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, value instanceof Error ? describe(value) : value]),
  );
}

/** A failed query's message goes on with its parameters, which may be anybody's secret; those of the driver hold none. */
function describe(error: Error): unknown {
  return {
    name: error.name,
    message: error.message.replace(/\nparams:[\s\S]*$/, ''),
    code: (error as { code?: unknown }).code,
    stack: error.stack
      ?.split('\n')
      .filter((line) => /^\s+at /.test(line))
      .slice(0, 5)
      .join(' | '),
    cause: error.cause instanceof Error ? describe(error.cause) : undefined,
  };
}
