/** One process that serves: a copy, or one of the workers that a copy has. */
import cluster from 'node:cluster';
import { existsSync } from 'node:fs';
import { connectAuthority } from '#ca/client.ts';
import { createEmqxApi } from '#emqx/api.ts';
import { createInspector } from '#emqx/inspect.ts';
import type { Config } from './config.ts';
import { connect } from './db/connect.ts';
import { createObjectStore } from './firmware/objects.ts';
import type { Log } from './log.ts';
import { createMetrics } from './metrics/metrics.ts';
import { createCourier } from './notifications/courier.ts';
import { startWebhook } from './server.ts';
import { connectElsewhere } from './telemetry/elsewhere.ts';
import { joinColleagues } from './workers/worker.ts';

/** Of one copy; its workers divide them, but with fewer one's steps would wait for each other. */
const connections = 10;
const connectionsAtLeast = 5;

export async function serve(config: Config, log: Log): Promise<void> {
  const metrics = createMetrics();
  const colleagues = cluster.isWorker ? joinColleagues(metrics.read) : null;
  const database = await connect({
    url: config.databaseUrl,
    connections: Math.max(connectionsAtLeast, Math.ceil(connections / config.workers)),
  });
  const objects = createObjectStore(config.store);
  const telemetry = config.telemetryUrl === null ? null : connectElsewhere(config.telemetryUrl);
  const consoleDir = new URL('../console/dist', import.meta.url).pathname;
  const webhook = await startWebhook(
    {
      database,
      metrics,
      ...(colleagues && { gatherMetrics: colleagues.gather }),
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
  colleagues?.ready(webhook.url, webhook.internalPort);
  let stopping = false;
  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    await webhook.close();
    objects.close();
    await telemetry?.close();
    await database.close();
    process.exit(0);
  };
  // A terminal's Ctrl-C reaches the workers and the primary, which then tells them, too.
  process.on('SIGINT', () => void stop());
  process.on('SIGTERM', () => void stop());
}
