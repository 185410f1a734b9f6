/** A Flota of its own for an experiment, in a child process: on free ports, in a directory that goes with it. */
import { mkdirSync } from 'node:fs';
import { createLog } from '#webhook/log.ts';
import { freePorts, toLocalConfig } from '../local/config.ts';
import { type Stack, startStack } from '../local/stack.ts';

export type FlotaOrder =
  | { do: 'start'; dataDir: string; certificateSeconds: number | null }
  | { do: 'outage'; id: number; part: 'broker' | 'store'; downMs: number }
  | { do: 'stop' };
export type FlotaNews =
  | { news: 'up' }
  | ({ news: 'started' } & Pick<Stack, 'url' | 'apiToken' | 'mqttUrl' | 'trust' | 'signingKeys'>)
  | { news: 'outage-over'; id: number; error: string | null }
  | { news: 'failed'; error: string };

let stack: Stack | null = null;

// Ctrl-C reaches every process of a terminal; the runner decides what it means.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => process.exit(1));
process.on('message', (order: FlotaOrder) => {
  const work = order.do === 'start' ? start(order) : order.do === 'stop' ? stop() : breakDown(order);
  work.catch((error: Error) => tell({ news: 'failed', error: error.message }));
});
tell({ news: 'up' });

async function start(order: FlotaOrder & { do: 'start' }): Promise<void> {
  const config = toLocalConfig([], { ...freePorts, FLOTA_DATA: order.dataDir });
  if (config === 'help') throw new Error('unreachable');
  mkdirSync(order.dataDir, { recursive: true, mode: 0o700 });
  const log = createLog('error', (line) => process.stderr.write(line));
  stack = await startStack({ ...config, deviceCertificateSeconds: order.certificateSeconds }, log);
  const { url, apiToken, mqttUrl, trust, signingKeys } = stack;
  tell({ news: 'started', url, apiToken, mqttUrl, trust, signingKeys });
}

async function breakDown(order: FlotaOrder & { do: 'outage' }): Promise<void> {
  const error = await stack!.outage[order.part](order.downMs).then(
    () => null,
    (problem: Error) => problem.message,
  );
  tell({ news: 'outage-over', id: order.id, error });
}

async function stop(): Promise<void> {
  await stack?.close();
  process.disconnect?.();
  process.exit(0);
}

function tell(news: FlotaNews): void {
  if (process.connected) process.send!(news);
}
