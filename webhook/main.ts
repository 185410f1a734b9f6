/**
 * One copy of the webhook in production: every other part is a real one, reached by the addresses in the environment. `main.ts migrate`
 * only brings the database to this version, for a deployment that does so before its first new copy starts.
 */
import cluster from 'node:cluster';
import { ConfigError, readConfig, readMigrationConfig } from './config.ts';
import { createLog } from './log.ts';
import { startPrimary } from './workers/primary.ts';

const log = createLog('info');

async function migrate(): Promise<void> {
  const { databaseUrl: url } = readMigrationConfig();
  const { connect } = await import('./db/connect.ts');
  const database = await connect({ url, connections: 1 });
  await database.close();
  log('info', 'database is at this version');
}

async function start(): Promise<void> {
  const config = readConfig();
  if (cluster.isPrimary && config.workers > 1) return lead(config.workers);
  // A hang-up is for the primary: it means one after the other.
  if (cluster.isWorker) process.on('SIGHUP', () => {});
  // The primary needs none of it.
  const { serve } = await import('./serve.ts');
  await serve(config, log);
}

async function lead(workers: number): Promise<void> {
  let told = false;
  let primary: Awaited<ReturnType<typeof startPrimary>> | null = null;
  const stop = async (): Promise<void> => {
    told = true;
    await primary?.stop();
    if (primary) process.exit(0);
  };
  process.on('SIGINT', () => void stop());
  process.on('SIGTERM', () => void stop());
  process.on('SIGHUP', () => void primary?.restart());
  primary = await startPrimary(workers, log);
  if (told) await stop();
}

function run(command: string | undefined): Promise<void> {
  if (command === undefined) return start();
  if (command === 'migrate') return migrate();
  return Promise.reject(new ConfigError([`${command}: there is "migrate", or nothing`]));
}

run(process.argv[2]).catch((error: unknown) => {
  if (error instanceof ConfigError)
    for (const problem of error.problems) process.stderr.write(`${problem}\n`);
  else log('error', 'webhook could not start', { error });
  process.exit(1);
});
