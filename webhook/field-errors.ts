import { z } from '@hono/zod-openapi';
import type { FieldError } from './errors.ts';

export const fieldErrorSchema = z.object({
  path: z.string(),
  message: z.string(),
  rule: z.string().optional(),
  values: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
});

/** What a schema finds wrong. The rule is Zod's code of it, a length's with what is counted: `too_big.string`. */
export function toFieldErrors(issues: z.core.$ZodIssue[]): FieldError[] {
  return issues.flatMap((issue): FieldError[] => {
    const { code, message } = issue;
    const path = issue.path.join('.');
    switch (code) {
      case 'unrecognized_keys':
        return issue.keys.map((key) => ({
          path: [...issue.path, key].join('.'),
          message: 'is not known',
          rule: code,
        }));
      case 'too_small':
      case 'too_big': {
        const limit = Number(code === 'too_small' ? issue.minimum : issue.maximum);
        const counted = issue.origin === 'string' || issue.origin === 'array' ? `.${issue.origin}` : '';
        return [{ path, message, rule: code + counted, values: { limit } }];
      }
      case 'custom':
        return [{ path, message, ...(issue.params as Pick<FieldError, 'rule' | 'values'>) }];
      default:
        return [{ path, message, rule: code }];
    }
  });
}

/** "name: Too big: …; tags: …": what is told to who reads no fields. */
export const inOneLine = (errors: FieldError[]): string =>
  errors.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join('; ');
