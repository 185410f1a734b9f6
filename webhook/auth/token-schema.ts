import { z } from '@hono/zod-openapi';
import { limitsSchema } from '../devices/reach.ts';
import { answer, revision, roles } from '../http.ts';
import { scopes } from './scopes.ts';
import type { ApiToken } from './tokens.ts';

const moment = z.string().nullable();
/** Of the role; null: the whole fleet. */
const reach = limitsSchema.nullable();

export const tokenSchema = z
  .object({
    id: z.uuid(),
    name: z.string(),
    role: z.enum(roles),
    reach,
    /** Null: whatever its role may do. */
    scopes: z.enum(scopes).array().nullable(),
    /** It is its maker's own, and may never more than that user may. */
    personal: z.boolean(),
    createdBy: z.string(),
    createdAt: z.string(),
    expiresAt: moment,
    revokedAt: moment,
    lastUsedAt: moment,
    revision,
  })
  .openapi('ApiToken');

export const newTokenFields = {
  name: z.string().trim().min(1).max(100),
  reach: reach.default(null),
  expiresAt: z.iso
    .datetime({ offset: true })
    .refine((at) => Date.parse(at) > Date.now(), 'must be in the future'),
};

export const createdToken = answer(
  '`secret` is shown this once',
  z.object({ secret: z.string(), token: tokenSchema }),
);

export function presentToken({ createdAt, expiresAt, revokedAt, lastUsedAt, userId, ...rest }: ApiToken) {
  return {
    ...rest,
    personal: userId !== null,
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt?.toISOString() ?? null,
    revokedAt: revokedAt?.toISOString() ?? null,
    lastUsedAt: lastUsedAt?.toISOString() ?? null,
  };
}
