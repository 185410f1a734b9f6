import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from '../context.ts';
import { access, alwaysPaging, answer, createRouter, page, problems, wholeNumber } from '../http.ts';
import * as deadLetters from './dead-letters.ts';
import type { Ingest } from './ingest.ts';

const id = z.object({ id: wholeNumber(1) });
const letterSchema = z
  .object({
    id: z.int(),
    receivedAt: z.string(),
    code: z.string(),
    detail: z.string(),
    clientId: z.string().nullable(),
    topic: z.string().nullable(),
    bytes: z.int(),
  })
  .openapi('DeadLetter');

const list = createRoute({
  method: 'get',
  path: '/api/dead_letters',
  ...access('viewer', 'fleet'),
  summary: 'What could not be handled, newest first',
  request: {
    query: alwaysPaging.extend({
      code: z.string().max(64).optional(),
      clientId: z.string().max(200).optional(),
    }),
  },
  responses: {
    200: answer(
      'A page; `dropped` counts what was not kept because there was too much of a device',
      page(letterSchema).extend({ dropped: z.object({ letters: z.int(), bytes: z.int() }) }),
    ),
    ...problems,
  },
});
const get = createRoute({
  method: 'get',
  path: '/api/dead_letters/{id}',
  ...access('viewer', 'fleet'),
  summary: 'One dead letter with its body',
  request: { params: id },
  responses: { 200: answer('The dead letter', letterSchema.extend({ body: z.string() })), ...problems },
});
const replay = createRoute({
  method: 'post',
  path: '/api/dead_letters/{id}/replay',
  ...access('admin', 'fleet'),
  summary: 'Handle it again, as if it had just come; refused again, it is a new dead letter',
  request: { params: id },
  responses: {
    200: answer(
      'What became of it',
      z.object({
        outcome: z.enum(['handled', 'refused']),
        code: z.string().nullable(),
        detail: z.string().nullable(),
      }),
    ),
    ...problems,
  },
});
const remove = createRoute({
  method: 'delete',
  path: '/api/dead_letters/{id}',
  ...access('admin', 'fleet'),
  summary: 'Delete a dead letter',
  request: { params: id },
  responses: { 204: { description: 'Deleted' }, ...problems },
});

export function deadLetterRoutes({ db }: Context, ingest: Ingest) {
  return createRouter()
    .openapi(list, async (c) => {
      const { items, ...rest } = await deadLetters.list(db, c.req.valid('query'));
      return c.json({ items: items.map(present), ...rest }, 200);
    })
    .openapi(get, async (c) => c.json(present(await deadLetters.get(db, c.req.valid('param').id)), 200))
    .openapi(replay, async (c) => {
      const actor = c.get('caller').name;
      const reject = await deadLetters.replay(db, ingest, c.req.valid('param').id, actor);
      const outcome = reject ? ('refused' as const) : ('handled' as const);
      return c.json({ outcome, code: reject?.code ?? null, detail: reject?.detail ?? null }, 200);
    })
    .openapi(remove, async (c) => {
      await deadLetters.remove(db, c.req.valid('param').id, c.get('caller').name);
      return c.body(null, 204);
    });
}

function present<T extends { receivedAt: Date }>({ receivedAt, ...rest }: T) {
  return { ...rest, receivedAt: receivedAt.toISOString() };
}
