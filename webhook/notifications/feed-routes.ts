import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from '../context.ts';
import { access, answer, createRouter, problems, wholeNumber } from '../http.ts';
import { readFeed } from './feed.ts';
import { kinds, severities } from './kinds.ts';
import { sentenceOf } from './message.ts';

const eventSchema = z
  .object({
    number: z.int(),
    /** That of the notifications of it. */
    id: z.uuid(),
    kind: z.enum(kinds),
    severity: z.enum(severities),
    /** Whom it concerns; empty: no region's devices. */
    regions: z.array(z.uuid()),
    at: z.string(),
    /** For people, in English. */
    text: z.string(),
    data: z.record(z.string(), z.unknown()),
  })
  .openapi('Event');

const follow = createRoute({
  method: 'get',
  path: '/api/events',
  ...access('viewer', 'fleet'),
  summary: 'What has happened since, oldest first, for programs that follow it',
  description:
    'Ask again with `after` = `next`. Numbers only grow, none is given later than a greater one, and gaps mean nothing. Events are kept for NOTIFICATION_DAYS.',
  request: {
    query: z.object({ after: wholeNumber(0).default(0), limit: wholeNumber(1, 1000).default(100) }),
  },
  responses: {
    200: answer('What is next', z.object({ items: z.array(eventSchema), next: z.int() })),
    ...problems,
  },
});

export function feedRoutes({ db }: Context) {
  return createRouter().openapi(follow, async (c) => {
    const { after, limit } = c.req.valid('query');
    const found = await readFeed(db, after, limit);
    const items = found.map((event) => ({
      ...event,
      number: event.number!,
      kind: event.kind as (typeof kinds)[number],
      at: event.at.toISOString(),
      text: sentenceOf(event),
    }));
    return c.json({ items, next: items.at(-1)?.number ?? after }, 200);
  });
}
