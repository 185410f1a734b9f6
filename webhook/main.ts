/**
 * One copy of the webhook in production: every other part is a real one, reached by the addresses in the environment. `main.ts migrate`
 * only brings the database to this version, for a deployment that does so before its first new copy starts.
 */
import { existsSync } from 'node:fs';
import { connectAuthority } from '#ca/client.ts';
import { createEmqxApi } from '#emqx/api.ts';
import { createInspector } from '#emqx/inspect.ts';
import { ConfigError, readConfig, readMigrationConfig } from './config.ts';
import { connect } from './db/connect.ts';
import { createObjectStore } from './firmware/objects.ts';
import { createLog } from './log.ts';
import { createCourier } from './notifications/courier.ts';
import { startWebhook } from './server.ts';
import { connectElsewhere } from './telemetry/elsewhere.ts';

const log = createLog('info');

async function migrate(): Promise<void> {
  const database = await connect({ url: readMigrationConfig().databaseUrl, connections: 1 });
  await database.close();
  log('info', 'database is at this version');
}

async function serve(): Promise<void> {
  const config = readConfig();
  const database = await connect({ url: config.databaseUrl });
  const objects = createObjectStore(config.store);
  const telemetry = config.telemetryUrl === null ? null : connectElsewhere(config.telemetryUrl);
  const consoleDir = new URL('../console/dist', import.meta.url).pathname;
  const webhook = await startWebhook(
    {
      database,
      objects,
      broker: createEmqxApi(config.emqx),
      inspector: createInspector(config.emqx),
      dashboardUrl: config.dashboardUrl,
      mqttUrl: config.mqttUrl,
      authority: connectAuthority(config.ca),
      signer: null,
      trustedKeys: config.trustedKeys,
      masterKeys: config.masterKeys,
      log,
      webhookToken: config.webhookToken,
      apiToken: config.apiToken,
      publicUrl: config.publicUrl,
      proxies: config.proxies,
      requestsPerMinute: config.requestsPerMinute,
      tokenMaxDays: config.tokenMaxDays,
      oidc: config.oidc,
      courier: createCourier(config.courier),
      silentHours: config.silentHours,
      transferPrice: config.transferPrice,
      telemetry,
      consoleDir: existsSync(consoleDir) ? consoleDir : null,
    },
    config,
  );
  log('info', 'webhook listens', { url: webhook.url, internalPort: webhook.internalPort });
  const stop = async (): Promise<void> => {
    await webhook.close();
    objects.close();
    await telemetry?.close();
    await database.close();
    process.exit(0);
  };
  process.once('SIGINT', () => void stop());
  process.once('SIGTERM', () => void stop());
}

function run(command: string | undefined): Promise<void> {
  if (command === undefined) return serve();
  if (command === 'migrate') return migrate();
  return Promise.reject(new ConfigError([`${command}: there is "migrate", or nothing`]));
}

run(process.argv[2]).catch((error: unknown) => {
  if (error instanceof ConfigError)
    for (const problem of error.problems) process.stderr.write(`${problem}\n`);
  else log('error', 'webhook could not start', { error });
  process.exit(1);
});
