import { openAuthority } from './authority.ts';
import { readEnv, toConfig } from './config.ts';
import { startMetrics } from './metrics-server.ts';
import { startService } from './server.ts';

try {
  const { host, port, names, callers, metricsPort, ...rest } = toConfig(readEnv());
  const authority = await openAuthority(rest);
  const service = await startService({ authority, host, port, names, callers, log: writeLog });
  writeLog('info', 'listening', { url: `https://${host}:${service.port}` });
  const metrics =
    metricsPort === undefined
      ? null
      : await startMetrics({ host, port: metricsPort, write: service.metrics });
  if (metrics) writeLog('info', 'metrics', { url: `http://${host}:${metrics.port}/metrics` });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      writeLog('info', 'stopping', { signal });
      void Promise.all([service.close(), metrics?.close()]).then(() => process.exit(0));
    });
  }
} catch (error) {
  console.error(`ca: ${(error as Error).message}`);
  process.exitCode = 1;
}

function writeLog(level: string, message: string, fields: Record<string, unknown> = {}): void {
  const { error, ...others } = fields;
  const cause = error instanceof Error ? { error: error.message } : {};
  console.log(JSON.stringify({ at: new Date().toISOString(), level, message, ...others, ...cause }));
}
