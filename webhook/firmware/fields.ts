import { z } from '@hono/zod-openapi';

export const version = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/, 'must be 1 to 64 of letters, digits and . _ + -');
/** One path segment of printable characters: it becomes part of an object key and of a device's file name. */
export const fileName = z
  .string()
  .refine(
    (name) => /^[\p{L}\p{N}_][\p{L}\p{N} ._()+@-]{0,99}$/u.test(name),
    'must be a plain file name: 1 to 100 letters, digits, spaces and . _ ( ) + @ -',
  )
  // Letters of all languages are no pattern that all languages read.
  .openapi({ pattern: '^[^/\\\\]{1,100}$' });
