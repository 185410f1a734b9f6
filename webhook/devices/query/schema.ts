/** A query as a parameter of a request. */
import { z } from '@hono/zod-openapi';
import { fields, maxLength, parseQuery, QueryError, setFields } from './grammar.ts';

const description = {
  type: 'string' as const,
  description: 'The query language of webhook/devices/README.md',
  example: 'hardware = esp32-s3 and version < 2.1 and last_seen > 7d',
};

const textOf = (allowed = fields) =>
  z
    .string()
    .max(maxLength)
    .superRefine((text, context) => {
      try {
        parseQuery(text, allowed);
      } catch (error) {
        if (!(error instanceof QueryError)) throw error;
        const place = error.at + 1;
        context.addIssue({
          code: 'custom',
          message: `at character ${place}: ${error.message}`,
          ...(error.refused && {
            params: { rule: 'field_not_set', values: { field: error.refused, at: place } },
          }),
        });
      }
    });

/** As it was written, where it is kept. */
export const queryTextSchema = textOf().openapi(description);

/** By what people set alone, for what neither a device nor the clock may decide. */
export const setQueryTextSchema = textOf(setFields).openapi({
  ...description,
  description: `As a query, by these fields alone, which only people set: ${setFields.map(({ name }) => name).join(', ')}`,
  example: 'tag = pilot and region = Seoul',
});

export const querySchema = queryTextSchema.transform((text) => parseQuery(text)).openapi(description);
