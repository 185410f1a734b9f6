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

/** These fields or parameters alone; EMQX may have others, which are refused by name. */
export function known<T extends z.ZodRawShape>(fields: T) {
  return z.strictObject(fields, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `the stand-in does not support ${issue.keys.join(', ')}`
        : undefined,
  });
}

/** The parameters of `pageOf`. */
export const paging = {
  page: z.coerce.number().int().min(1).default(1),
  limit: z.coerce.number().int().min(1).max(10_000).default(100),
};

/** One page of a list, with what goes round it. */
export function pageOf<T>({ page, limit }: { page: number; limit: number }, all: T[]) {
  const data = all.slice((page - 1) * limit, page * limit);
  return { data, meta: { hasnext: all.length > page * limit, limit, page } };
}
