/** A query as a parameter of a request. */
import { z } from '@hono/zod-openapi';
import { maxLength, parseQuery, QueryError } from './grammar.ts';

const description = {
  type: 'string' as const,
  description: 'The query language of webhook/devices/README.md',
  example: 'hardware = esp32-s3 and version < 2.1 and last_seen > 7d',
};

/** As it was written, where it is kept. */
export const queryTextSchema = z
  .string()
  .max(maxLength)
  .superRefine((text, context) => {
    try {
      parseQuery(text);
    } catch (error) {
      if (!(error instanceof QueryError)) throw error;
      context.addIssue({ code: 'custom', message: `at character ${error.at + 1}: ${error.message}` });
    }
  })
  .openapi(description);

export const querySchema = queryTextSchema.transform(parseQuery).openapi(description);
