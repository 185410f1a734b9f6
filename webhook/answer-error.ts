/** An error as HTTP: the only place that knows how one becomes an answer, for the apps and for what is served beside them. */
import { HTTPException } from 'hono/http-exception';
import { isUnavailable, isUnstorable } from './db/query.ts';
import { AppError, toProblem } from './errors.ts';
import type { Log } from './log.ts';

export interface ErrorAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** `request`: its method and path, for the log, which has what is our own fault. */
export function answerError(
  error: unknown,
  log: Log,
  request: { method: string; path: string; requestId?: string },
): ErrorAnswer {
  const known = toAppError(error);
  const problem = toProblem(known);
  const { status } = problem;
  if (status >= 500) {
    const { method, path, requestId } = request;
    log(status === 500 ? 'error' : 'warn', `${method} ${path} failed`, { requestId, error });
  }
  return {
    status,
    headers: {
      'Content-Type': 'application/problem+json',
      // The rest of the body is not read, so nothing else can come over this connection.
      ...(status === 413 && { Connection: 'close' }),
      ...(known.retryAfterS && { 'Retry-After': String(known.retryAfterS) }),
      ...(status === 401 && { 'WWW-Authenticate': 'Bearer' }),
    },
    body: JSON.stringify(problem),
  };
}

function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof HTTPException && error.status === 400) {
    return new AppError('malformed_json', error.message || 'The body is not JSON.', { cause: error });
  }
  if (isUnstorable(error)) {
    return new AppError('invalid_request', 'A value is one that no column can hold.', { cause: error });
  }
  if (isUnavailable(error)) {
    return new AppError('database_unavailable', 'The database does not answer.', { cause: error });
  }
  return new AppError('internal', 'Something went wrong on our side.', { cause: error });
}
