import type { Context } from '../context.ts';
import { createRouter } from '../http.ts';
import { writeFleet } from './fleet.ts';
import { heading, sample } from './metrics.ts';
import { addUp, writeSnapshot } from './snapshot.ts';

/** `GET /metrics`, on the internal port and open to whoever reaches that. Without a database it still tells of this copy. */
export function metricsRoutes({ db, metrics, gatherMetrics, log, authority }: Context) {
  return createRouter().get('/metrics', async (c) => {
    const fleet = await writeFleet(db).catch((error: unknown) => {
      log('warn', 'metrics without the database', { error });
      return null;
    });
    // Of all workers of this copy, where there are several.
    const counted = addUp(gatherMetrics ? await gatherMetrics(metrics.read()) : [metrics.read()]);
    const own = [
      ...heading('flota_database_up', 'gauge', 'Whether the database answered'),
      sample('flota_database_up', {}, fleet === null ? 0 : 1),
      ...heading('process_resident_memory_bytes', 'gauge', 'Resident memory of this copy'),
      sample('process_resident_memory_bytes', {}, counted.residentBytes),
      ...heading('process_start_time_seconds', 'gauge', 'When this copy started, since 1970'),
      sample('process_start_time_seconds', {}, Math.round(Date.now() / 1000 - process.uptime())),
    ];
    // Of an authority in this process; one behind a connection tells it itself.
    const ca = await authority.metrics?.().catch((error: unknown) => {
      log('warn', 'metrics without the CA', { error });
    });
    c.header('Content-Type', 'text/plain; version=0.0.4; charset=utf-8');
    return c.body(`${writeSnapshot(counted)}${own.join('\n')}\n${fleet ?? ''}${ca ?? ''}`);
  });
}
