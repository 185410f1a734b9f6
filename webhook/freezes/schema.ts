import { z } from '@hono/zod-openapi';
import { revision } from '../http.ts';
import type { Freeze } from './freezes.ts';

export const freezeSchema = z
  .object({
    id: z.uuid(),
    name: z.string(),
    firstDay: z.string(),
    lastDay: z.string(),
    timeZone: z.string(),
    /** From this moment until before the other. */
    startsAt: z.string(),
    endsAt: z.string(),
    createdBy: z.string(),
    revision,
  })
  .openapi('Freeze');

export function presentFreeze({ createdAt: _, startsAt, endsAt, ...rest }: Freeze) {
  return { ...rest, startsAt: startsAt.toISOString(), endsAt: endsAt.toISOString() };
}
