/** What the parts of the HTTP API share. */
import { z } from 'zod';

export const node = 'emqx@127.0.0.1';

/** What is answered instead, in EMQX's shape. */
export class ApiError extends Error {
  readonly status: 400 | 401 | 404 | 415;
  readonly code: string;
  constructor(status: ApiError['status'], code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** One page of a list, with what goes round it. A parameter that is neither of a page nor in `others` is refused by name. */
export function pageOf<T>(
  query: Record<string, string>,
  all: T[],
  others: string[] = [],
): { data: T[]; meta: object } {
  const unknown = Object.keys(query).find((name) => !['page', 'limit', ...others].includes(name));
  if (unknown)
    throw new ApiError(400, 'BAD_REQUEST', `the stand-in does not support the parameter ${unknown}`);
  const page = z.coerce.number().int().min(1).default(1).parse(query.page);
  const limit = z.coerce.number().int().min(1).max(10_000).default(100).parse(query.limit);
  const data = all.slice((page - 1) * limit, page * limit);
  return { data, meta: { hasnext: all.length > page * limit, limit, page } };
}
