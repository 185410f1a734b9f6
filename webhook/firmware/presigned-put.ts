import { z } from '@hono/zod-openapi';

/** Where a client puts a file, for all that is uploaded. */
export const presignedPutSchema = z.object({
  url: z.string(),
  headers: z.record(z.string(), z.string()),
  s3Path: z.string(),
  expiresAt: z.string(),
});
