/** The broker: the stand-in here or as a process of its own, or a real EMQX that is told where to send its rows. */
import { exec } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BrokerConfig } from '#emqx/rules.ts';
import { type BrokerOptions, startBroker } from '#emqx/standin/broker.ts';
import type { Log } from '#webhook/log.ts';
import { until } from '../primitives/until.ts';
import { createHere, createProcess, type Part } from './part.ts';
import type { Site } from './site.ts';
import { canConnect } from './store.ts';

export interface EmqxAccess {
  url: string;
  key: string;
  secret: string;
  mqttUrl: string;
}

export function createStandin(site: Site, options: BrokerOptions, log: Log): Part {
  if (!site.apart.has('broker')) return createHere('broker', () => startBroker({ ...options, log }));
  return createProcess({
    name: 'broker',
    command: process.execPath,
    args: [...site.source('./broker-process.ts'), site.file('broker.json', JSON.stringify(options))],
    env: site.env,
    logFile: join(site.dir, 'broker.log'),
    ready: async () => (await canConnect(options.mqttPort)) && canConnect(options.apiPort),
  });
}

/** Connectors, actions and rules are merged into the configuration of a running EMQX, and stay there. JSON is HOCON. */
export async function configureEmqx(api: EmqxAccess, config: BrokerConfig): Promise<void> {
  const answer = await callEmqx(api, 'PUT', '/configs?mode=merge', JSON.stringify(config), 'text/plain');
  if (answer.status !== 200)
    throw new Error(`EMQX refused the configuration: ${answer.status} ${await answer.text()}`);
}

/** A running EMQX as a part that can only be killed by the command that restarts it, and is back when `start` resolves. */
export function createEmqx(api: EmqxAccess, restartCommand: string): Part {
  const isUp = async () => (await callEmqx(api, 'GET', '/status').catch(() => null))?.ok ?? false;
  const restart = async () => void (await promisify(exec)(restartCommand));
  const start = async () => void (await until('EMQX after BROKER_RESTART_CMD', isUp, 60_000));
  return { name: 'broker', running: () => true, kill: restart, stop: restart, start, process: null };
}

/** Matched, queued and dropped, as EMQX's API tells them. */
export async function readActionMetrics(
  api: EmqxAccess,
  action: 'critical' | 'telemetry',
): Promise<Record<string, number>> {
  const response = await callEmqx(api, 'GET', `/actions/http:${action}/metrics`);
  return ((await response.json()) as { metrics: Record<string, number> }).metrics;
}

/** Of the HTTP API, whatever the status. */
export function callEmqx(
  { url, key, secret }: EmqxAccess,
  method: string,
  path: string,
  body?: string,
  contentType = 'application/json',
): Promise<Response> {
  return fetch(`${url.replace(/\/$/, '')}/api/v5${path}`, {
    method,
    body,
    headers: {
      authorization: `Basic ${Buffer.from(`${key}:${secret}`).toString('base64')}`,
      ...(body !== undefined && { 'content-type': contentType }),
    },
    signal: AbortSignal.timeout(15_000),
  });
}
