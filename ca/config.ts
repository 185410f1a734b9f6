import { readFileSync } from 'node:fs';
import { CaError } from './client.ts';
import { isKmsKeyId, type KmsSettings } from './kms-signer.ts';
import type { Lifetimes } from './profiles.ts';

export interface CaConfig {
  dir: string;
  host: string;
  port: number;
  /** DNS names and IP addresses in the service's own certificate. */
  names: string[];
  /** Common names of the service certificates that may call. */
  callers: string[];
  /** Where `/metrics` is told in plain HTTP; nowhere without it. */
  metricsPort?: number;
  passphrase?: string;
  crlUrl?: string;
  /** For the webhook's REST API, in bulk provisioning. */
  apiToken?: string;
  kms?: KmsSettings;
  lifetimes: Lifetimes;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export function readEnv(): Environment {
  return process.env;
}

const day = 86_400;

/** @throws CaError config_invalid, with every problem in its message */
export function toConfig(env: Environment): CaConfig {
  const problems: string[] = [];
  const list = (name: string, fallback: string) =>
    (env[name] ?? fallback)
      .split(',')
      .map((item) => item.trim())
      .filter(Boolean);
  const integer = (name: string, fallback: number, min: number, max: number) => {
    const text = env[name];
    if (text === undefined || text === '') return fallback;
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    problems.push(`${name} must be a whole number from ${min} to ${max}`);
    return fallback;
  };
  const config: CaConfig = {
    dir: env.CA_DIR || '.flota/ca',
    host: env.CA_HOST || '127.0.0.1',
    port: integer('CA_PORT', 8443, 0, 65_535),
    names: list('CA_NAMES', 'localhost,127.0.0.1'),
    callers: list('CA_CALLERS', 'webhook.flota'),
    passphrase: readPassphrase(env, problems),
    lifetimes: {
      device: integer('CA_DEVICE_DAYS', 90, 1, 3650) * day,
      broker: integer('CA_BROKER_DAYS', 365, 1, 3650) * day,
      'broker-node': integer('CA_BROKER_DAYS', 365, 1, 3650) * day,
      service: integer('CA_SERVICE_DAYS', 365, 1, 3650) * day,
    },
  };
  if (config.names.length === 0) problems.push('CA_NAMES must name at least one host');
  if (config.callers.length === 0) problems.push('CA_CALLERS must name at least one caller');
  if (env.FLOTA_API_TOKEN) config.apiToken = env.FLOTA_API_TOKEN;
  if (env.CA_CRL_URL) {
    if (env.CA_CRL_URL.startsWith('http://')) config.crlUrl = env.CA_CRL_URL;
    else problems.push('CA_CRL_URL must be an http: address');
  }
  if (env.CA_METRICS_PORT) config.metricsPort = integer('CA_METRICS_PORT', 0, 0, 65_535);
  if (config.metricsPort && config.metricsPort === config.port)
    problems.push('CA_PORT and CA_METRICS_PORT must differ');
  if (env.CA_KMS_KEY_ID) {
    config.kms = { keyId: env.CA_KMS_KEY_ID, region: env.AWS_REGION || 'us-east-1' };
    if (!isKmsKeyId(env.CA_KMS_KEY_ID)) problems.push('CA_KMS_KEY_ID must be the id, alias or ARN of a key');
  }
  if (problems.length > 0) throw new CaError('config_invalid', problems.join('; '));
  return config;
}

function readPassphrase(env: Environment, problems: string[]): string | undefined {
  const { CA_PASSPHRASE: text, CA_PASSPHRASE_FILE: file } = env;
  if (text && file) problems.push('CA_PASSPHRASE and CA_PASSPHRASE_FILE are both set');
  if (!file) return text || undefined;
  try {
    const content = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
    if (content !== '') return content;
    problems.push('CA_PASSPHRASE_FILE is empty');
  } catch (error) {
    problems.push(`CA_PASSPHRASE_FILE cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  return undefined;
}
