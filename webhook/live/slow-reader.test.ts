/** Whoever follows the hints and takes none of them: over a real socket, for it is the system that stops taking. */
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import type { Context } from '../context.ts';
import { everything } from '../devices/reach.ts';
import { createRouter } from '../http.ts';
import { closeListener, openListener } from '../listener.ts';
import type { Change } from './live.ts';
import { liveRoutes } from './routes.ts';

test('is cut off, and what waited for it is let go', async () => {
  const listeners = new Set<(change: Change) => void>();
  const live = {
    subscribe(listener: (change: Change) => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const context = { live, closing: new AbortController().signal } as unknown as Context;
  const app = createRouter();
  app.use((c, next) => {
    c.set('reach', everything);
    return next();
  });
  app.route('/', liveRoutes(context, { patienceMs: 300 }));
  const server = await openListener(app, () => {}, { host: '127.0.0.1', port: 0 });
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();
  socket.write('GET /api/live HTTP/1.1\r\nHost: flota.test\r\n\r\n');
  await until('it listens', () => listeners.size === 1);
  // More than systems keep for a connection.
  for (let n = 0; n < 3_000; n += 1)
    for (const tell of listeners) tell({ kind: 'device', id: String(n).padStart(8_000, 'x') });
  await until('it listens no more', () => listeners.size === 0);
  expect(server.listening).toBe(true);
  socket.destroy();
  await closeListener(server);
});
