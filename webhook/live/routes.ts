import type { HttpBindings } from '@hono/node-server';
import { createRoute, z } from '@hono/zod-openapi';
import { type SSEMessage, streamSSE } from 'hono/streaming';
import { deviceIdSchema } from '#emqx/protocol.ts';
import { identify } from '../auth/session.ts';
import type { Context } from '../context.ts';
import { reachOf } from '../devices/reach.ts';
import { access, createRouter, problems } from '../http.ts';
import type { Change } from './live.ts';
import { keepWithin } from './within.ts';

/** A console that hears nothing for 10 s says that what it shows is old. */
const beatMs = 4_000;
const identifyMs = 10_000;
/** For so long a reader may take nothing: what waits for it grows meanwhile. */
const patienceMs = 30_000;

const live = createRoute({
  method: 'get',
  path: '/api/live',
  ...access('viewer', 'devices'),
  summary: 'Hints that a deployment, device, firmware or something else has changed (text/event-stream)',
  request: { query: z.object({ logs_of: deviceIdSchema.optional() }) },
  responses: {
    200: {
      description:
        'Events `changed` with {kind, id}, of what is within reach: fetch that thing again; `log` only of the device `logs_of`. `beat` when there was nothing for 4 s',
      content: { 'text/event-stream': { schema: z.string() } },
    },
    ...problems,
  },
});

/** Server-sent events; a reader that takes nothing is cut off rather than let its backlog grow (it fetches anew when it is back). */
export function liveRoutes(context: Context, pace = { patienceMs }) {
  return createRouter().openapi(live, (c) => {
    c.header('X-Accel-Buffering', 'no');
    return streamSSE(c, async (stream) => {
      const waiting = new Map<string, Change>();
      let [reach, identifiedAt] = [c.get('reach'), performance.now()];
      let wake = () => {};
      const { logs_of } = c.req.valid('query');
      const stop = context.live.subscribe((change) => {
        // A whole fleet logs all the time, and a person looks at one device.
        if (change.kind === 'log' && change.id !== logs_of) return;
        waiting.set(`${change.kind}/${change.id}`, change);
        wake();
      });
      const closing = context.closing;
      const onClose = () => wake();
      closing.addEventListener('abort', onClose);
      stream.onAbort(() => wake());
      const { outgoing } = c.env as unknown as HttpBindings;
      const write = async (message: SSEMessage) => {
        const cut = setTimeout(() => outgoing.destroy(), pace.patienceMs);
        await stream.writeSSE(message);
        clearTimeout(cut);
      };
      try {
        await write({ event: 'hello', data: '{}', retry: 2000 });
        while (!stream.aborted && !stream.closed && !closing.aborted) {
          if (waiting.size === 0) {
            await new Promise<void>((resolve) => {
              const timer = setTimeout(resolve, beatMs);
              wake = () => {
                clearTimeout(timer);
                resolve();
              };
            });
            if (waiting.size === 0 && !stream.aborted && !closing.aborted)
              await write({ event: 'beat', data: '' });
            continue;
          }
          const batch = [...waiting.values()];
          waiting.clear();
          // Who is out, or reaches less by now, is told nothing more.
          if (performance.now() - identifiedAt > identifyMs) {
            reach = reachOf((await identify(context, c)).reach);
            identifiedAt = performance.now();
          }
          for (const change of await keepWithin(context.db, reach, batch))
            await write({ event: 'changed', data: JSON.stringify(change) });
        }
      } finally {
        closing.removeEventListener('abort', onClose);
        stop();
      }
    });
  });
}
