/** What the commands need to know, from the environment or from the secrets of a local `npm start`. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { withBrokerNames } from '../setting-names.ts';
import { CliError } from './output.ts';

export interface Settings {
  api: { url: string; key: string; secret: string };
  /** Of the connector `webhook`; null: what the broker has stays. */
  webhook: { url: string | null; token: string | null };
  /** The broker is on this machine. */
  local: boolean;
}

export function readSettings(environment = process.env): Settings {
  const env = withBrokerNames(environment);
  const dataDir = resolve(env.FLOTA_DATA || '.flota');
  const url = (env.BROKER_API_URL || `http://127.0.0.1:${env.BROKER_API_PORT || 18083}`).replace(
    /\/api\/v5\/?$/,
    '',
  );
  if (!URL.canParse(url) || !/^https?:/.test(url))
    throw new CliError(`BROKER_API_URL is not an http address: ${url}`);
  // The secrets of a local start are for this machine only.
  const local = ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(url).hostname);
  const secrets = local ? localSecrets(join(dataDir, 'secrets.json')) : {};
  const key = env.BROKER_API_KEY || secrets.emqxKey;
  const secret = env.BROKER_API_SECRET || secrets.emqxSecret;
  if (!key || !secret)
    throw new CliError(
      `BROKER_API_KEY and BROKER_API_SECRET are not set${local ? `, and ${dataDir} has no secrets of a local npm start` : ''}`,
    );
  const webhookUrl = env.WEBHOOK_URL || null;
  if (webhookUrl && !URL.canParse(webhookUrl))
    throw new CliError(`WEBHOOK_URL is not an address: ${webhookUrl}`);
  return {
    api: { url, key, secret },
    webhook: { url: webhookUrl, token: env.WEBHOOK_TOKEN || secrets.webhookToken || null },
    local,
  };
}

/** `key:secret` of the environment. */
export function readApiKey(env = process.env): string | null {
  const { BROKER_API_KEY: key, BROKER_API_SECRET: secret } = withBrokerNames(env);
  return key && secret ? `${key}:${secret}` : null;
}

function localSecrets(file: string): Record<string, string | undefined> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return {};
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new CliError(`${file} is not JSON`);
  }
}
