/** JSON lines on standard error; the only place that writes them. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type Log = (level: LogLevel, message: string, fields?: object) => void;

const rank: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

export function createLog(
  lowest: LogLevel,
  write: (line: string) => void = (l) => process.stderr.write(l),
): Log {
  return (level, message, fields = {}) => {
    if (rank[level] < rank[lowest]) return;
    write(`${JSON.stringify({ at: new Date().toISOString(), level, message, ...plain(fields) })}\n`);
  };
}

/** Errors do not survive JSON.stringify: keep what helps to find the cause. */
function plain(fields: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, value instanceof Error ? describe(value) : value]),
  );
}

function describe(error: Error): unknown {
  return {
    name: error.name,
    message: error.message,
    code: (error as { code?: unknown }).code,
    stack: error.stack?.split('\n').slice(1, 6).join(' | '),
    cause: error.cause instanceof Error ? describe(error.cause) : error.cause,
  };
}
