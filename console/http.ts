/** `rule` and `values` are for words of our own; `message` is the server's, in English. */
export type FieldError = {
  path: string;
  message: string;
  rule?: string;
  values?: Record<string, string | number>;
};

/**
 * Any answer that is not a success. `code` is the server's problem code, or one of ours: `unreachable` (no answer came)
 * and `unknown` (an answer without a problem document). `status` is 0 when no answer came.
 */
export class ApiError extends Error {
  readonly code: string;
  readonly status: number;
  readonly detail: string;
  readonly errors: FieldError[];

  constructor(
    code: string,
    status: number,
    detail: string,
    options: { errors?: FieldError[]; cause?: unknown } = {},
  ) {
    super(detail || code, { cause: options.cause });
    this.name = 'ApiError';
    this.code = code;
    this.status = status;
    this.detail = detail;
    this.errors = options.errors ?? [];
  }
}

export const isAbort = (error: unknown): boolean =>
  error instanceof DOMException && error.name === 'AbortError';

/** Reads an RFC 9457 problem document; anything else (a proxy's HTML page) becomes `unknown` with its status. */
export async function toApiError(response: Response): Promise<ApiError> {
  let problem: Record<string, unknown> = {};
  try {
    const body: unknown = await response.json();
    if (body && typeof body === 'object') problem = body as Record<string, unknown>;
  } catch {
    // Not JSON: the status is all there is to tell.
  }
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  const errors = Array.isArray(problem.errors)
    ? problem.errors.map((e: Partial<FieldError> | null) => ({
        path: text(e?.path),
        message: text(e?.message),
        ...(typeof e?.rule === 'string' && { rule: e.rule, values: e.values ?? {} }),
      }))
    : [];
  return new ApiError(
    text(problem.code) || 'unknown',
    response.status,
    text(problem.detail) || text(problem.title) || `${response.status} ${response.statusText}`.trim(),
    { errors },
  );
}

export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** A wrong password or code is no session that has ended: who types it is told. */
const wrongInput = new Set(['login_failed', 'totp_required', 'totp_wrong']);

/**
 * A `fetch` that throws ApiError for every answer but a success. On 401 it awaits `askLogin` and sends the same
 * request again, so that an expired session never loses what the user was doing. Bodies must be re-sendable (no streams).
 */
export function createSessionFetch(options: { fetch: Fetch; askLogin?: () => Promise<unknown> }): Fetch {
  return async (input, init) => {
    for (;;) {
      let response: Response;
      try {
        response = await options.fetch(input, init);
      } catch (cause) {
        if (isAbort(cause)) throw cause;
        throw new ApiError('unreachable', 0, 'The server did not answer.', { cause });
      }
      if (response.ok) return response;
      const error = await toApiError(response);
      if (error.status !== 401 || wrongInput.has(error.code) || !options.askLogin) throw error;
      await options.askLogin();
    }
  };
}
