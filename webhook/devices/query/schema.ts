/** A query as a parameter of a request. */
import { z } from '@hono/zod-openapi';
import { maxLength, parseQuery, QueryError } from './grammar.ts';

export const querySchema = z
  .string()
  .max(maxLength)
  .transform((text, context) => {
    try {
      return parseQuery(text);
    } catch (error) {
      if (!(error instanceof QueryError)) throw error;
      context.addIssue({ code: 'custom', message: `at character ${error.at + 1}: ${error.message}` });
      return z.NEVER;
    }
  })
  .openapi({
    type: 'string',
    description: 'The query language of webhook/devices/README.md',
    example: 'hardware = esp32-s3 and version < 2.1 and last_seen > 7d',
  });
