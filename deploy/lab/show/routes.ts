/** The show's routes, beside the webhook's own and behind the same guard: admins only, and only under `npm start`. */
import { createRoute, z } from '@hono/zod-openapi';
import { streamSSE } from 'hono/streaming';
import type { ShowAct, ShowDeployment, ShowDevice, ShowImage } from '#console/pages/show/wire.ts';
import type { Context } from '#webhook/context.ts';
import { AppError } from '#webhook/errors.ts';
import { access, answer, createRouter, jsonBody, problems } from '#webhook/http.ts';
import { deployImage } from './images.ts';
import type { Show } from './show.ts';

const acts = ['cut_network', 'pull_plug', 'slow_down', 'full_speed'] as const satisfies ShowAct[];
const images = ['good', 'bad'] as const satisfies ShowImage[];
const deviceSchema = z.custom<ShowDevice>().openapi({ type: 'object' });
/** As of /api/live: the console takes silence for a loss. */
const beatMs = 4_000;

const get = createRoute({
  method: 'get',
  path: '/api/show',
  ...access('admin', 'fleet'),
  summary: 'The virtual devices of this `npm start`, with their chunk maps',
  responses: { 200: answer('By id', z.object({ devices: z.array(deviceSchema) })), ...problems },
});
const live = createRoute({
  method: 'get',
  path: '/api/show/live',
  ...access('admin', 'fleet'),
  summary: 'The same as it changes (text/event-stream): all at first, then those that have changed',
  responses: { 200: { description: 'Events `devices`: an array' }, ...problems },
});
const act = createRoute({
  method: 'post',
  path: '/api/show/act',
  ...access('admin', 'fleet'),
  summary: 'Cut the network of virtual devices, pull their plug, slow them down',
  request: jsonBody(
    z.object({
      act: z.enum(acts),
      devices: z.array(z.string().max(64)).min(1).max(500),
      forMs: z.int().min(100).max(60_000).default(6_000),
    }),
  ),
  responses: { 200: answer('How many it was done to', z.object({ devices: z.int() })), ...problems },
});
const deploy = createRoute({
  method: 'post',
  path: '/api/show/deploy',
  ...access('admin', 'fleet'),
  summary: 'Register a fresh image, good or bad, and deploy it to all virtual devices',
  request: jsonBody(z.object({ image: z.enum(images) })),
  responses: {
    201: answer(
      'The deployment',
      z.object({
        id: z.string(),
        version: z.string(),
        image: z.enum(images),
      }) satisfies z.ZodType<ShowDeployment>,
    ),
    ...problems,
  },
});

export function createShowRoutes(show: Show) {
  return ({ closing }: Context) =>
    createRouter()
      .openapi(get, (c) => c.json({ devices: show.devices() }, 200))
      .openapi(act, (c) => {
        const { act, devices, forMs } = c.req.valid('json');
        const done = show.act(act, devices, forMs);
        if (done === 0) throw new AppError('not_found', 'There is no such virtual device.');
        return c.json({ devices: done }, 200);
      })
      .openapi(deploy, async (c) => {
        const { image } = c.req.valid('json');
        const rest = show.rest();
        if (!rest) throw new AppError('no_targets', 'The virtual devices are not on yet.');
        return c.json(await deployImage(rest, image, show.ids(), show.imageBytes), 201);
      })
      .openapi(live, (c) => {
        c.header('X-Accel-Buffering', 'no');
        return streamSSE(c, async (stream) => {
          const waiting = new Set(show.ids());
          let begun = false;
          let wake = () => {};
          const stop = show.watch((id) => {
            waiting.add(id);
            wake();
          });
          const onClose = () => wake();
          closing.addEventListener('abort', onClose);
          stream.onAbort(() => wake());
          const ended = () => stream.aborted || stream.closed || closing.aborted;
          try {
            while (!ended()) {
              if (begun && waiting.size === 0) await pause(beatMs, (done) => (wake = done));
              if (ended()) break;
              const views = [...waiting].flatMap((id) => show.view(id) ?? []);
              waiting.clear();
              // The first time also that there are none.
              if (views.length || !begun)
                await stream.writeSSE({ event: 'devices', data: JSON.stringify(views) });
              else await stream.writeSSE({ event: 'beat', data: '' });
              begun = true;
              // Frames enough for an eye, and fewer when there are many devices.
              await pause(show.ids().length > 50 ? 1_000 : 150, () => {});
            }
          } finally {
            closing.removeEventListener('abort', onClose);
            stop();
          }
        });
      });
}

function pause(ms: number, onWake: (wake: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    onWake(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
