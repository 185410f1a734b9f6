/** The webhook's configuration: the environment is read here, once, and every problem is listed before anything starts. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { withBrokerNames } from '#emqx/setting-names.ts';
import { readOidc } from './auth/oidc/settings.ts';
import { type CdnSettings, checkCdnKey } from './firmware/cdn.ts';
import { type MasterKeys, readMasterKeys } from './firmware/sealing/master-keys.ts';
import type { CourierSettings } from './notifications/courier.ts';
import { parseNetwork } from './notifications/networks.ts';
import { defaultRetention, type Retention } from './retention/retention.ts';

const port = z.coerce.number().int().min(0).max(65_535);
const url = z.url({ protocol: /^https?$/ });
const text = z.string().min(1);
const days = z.coerce.number().int().min(1).max(3650);

export const environmentSchema = z.object({
  HOST: z.string().default('127.0.0.1'),
  PORT: port.default(8080),
  INTERNAL_PORT: port.default(8081),
  PUBLIC_URL: url.optional(),
  TRUSTED_PROXIES: z.coerce.number().int().min(0).max(10).default(0),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  TELEMETRY_DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  S3_ENDPOINT: url.optional(),
  S3_BUCKET: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/)
    .optional(),
  S3_PUBLIC_URL: url.optional(),
  S3_DEVICE_URL: z.url({ protocol: /^https$/ }).optional(),
  AWS_REGION: z.string().default('us-east-1'),
  // With the longest names of a firmware, a signed address still fits into what devices keep room for.
  CDN_URL: z
    .url({ protocol: /^https$/ })
    .max(150)
    .regex(/^[^?#]+$/, 'must have no query')
    .optional(),
  CDN_KEY_PAIR_ID: text.optional(),
  CDN_PRIVATE_KEY: text.optional(),
  BROKER_API_URL: url.optional(),
  BROKER_API_KEY: text.optional(),
  BROKER_API_SECRET: text.optional(),
  BROKER_DASHBOARD_URL: url.optional(),
  BROKER_MQTT_URL: z.url({ protocol: /^mqtts$/ }).optional(),
  CA_URL: z.url({ protocol: /^https$/ }).optional(),
  CA_CLIENT_CERT: text.optional(),
  CA_CLIENT_KEY: text.optional(),
  CA_ROOT: text.optional(),
  WEBHOOK_TOKEN: z.string().min(16).optional(),
  FLOTA_API_TOKEN: z.string().min(16).optional(),
  FLOTA_ADMIN_EMAIL: z.email().optional(),
  FLOTA_ADMIN_PASSWORD: z.string().min(8).optional(),
  OIDC_ISSUER: url.optional(),
  OIDC_CLIENT_ID: text.optional(),
  OIDC_CLIENT_SECRET: text.optional(),
  OIDC_ROLE_CLAIM: text.default('groups'),
  OIDC_ROLES: text.optional(),
  OIDC_BUTTON: z.string().min(1).max(60).default('Single sign-on'),
  FIRMWARE_KEYS: text.optional(),
  SEALING_KEYS: text.optional(),
  TELEMETRY_DAYS: days.default(defaultRetention.telemetry),
  TELEMETRY_RAW_HOURS: z.coerce.number().int().min(1).max(8760).default(defaultRetention.telemetryRawHours),
  LOG_DAYS: days.default(defaultRetention.logs),
  EVENT_DAYS: days.default(defaultRetention.targetEvents),
  TARGET_DAYS: days.default(defaultRetention.targets),
  DEAD_LETTER_DAYS: days.default(defaultRetention.deadLetters),
  NOTIFICATION_DAYS: days.default(defaultRetention.notifications),
  CRASH_DAYS: days.default(defaultRetention.crashes),
  NOTIFY_ALLOWED_NETWORKS: z
    .string()
    .transform((list) => list.split(',').map((network) => network.trim()))
    .pipe(z.array(z.string().refine(parseNetwork, 'must be networks such as 10.1.0.0/16, with commas')))
    .optional(),
  WEBHOOK_WORKERS: z.coerce.number().int().min(1).max(64).optional(),
  API_REQUESTS_PER_MINUTE: z.coerce.number().int().min(60).max(1_000_000).default(6_000),
  TOKEN_MAX_DAYS: z.coerce.number().int().min(1).max(3_650).optional(),
  PRICE_PER_MB: z.coerce.number().positive().max(1_000_000).optional(),
  PRICE_CURRENCY: z
    .string()
    .regex(/^[A-Z]{3}$/, 'must be a code of ISO 4217, such as KRW')
    .default('USD'),
  SILENT_HOURS: z.coerce.number().int().min(1).max(8760).default(24),
  SMTP_URL: z.url({ protocol: /^smtps?$/ }).optional(),
  SMTP_FROM: z.email().optional(),
  SMTP_TLS: z.enum(['required', 'off']).default('required'),
});
export type Environment = z.infer<typeof environmentSchema>;

/** Every problem of a configuration, a line each. */
export class ConfigError extends Error {
  readonly problems: string[];
  constructor(problems: string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** What may come in a file instead: `NAME_FILE` is its path. */
const secretNames = [
  'DATABASE_URL',
  'TELEMETRY_DATABASE_URL',
  'BROKER_API_KEY',
  'BROKER_API_SECRET',
  'WEBHOOK_TOKEN',
  'SEALING_KEYS',
  'FLOTA_API_TOKEN',
  'FLOTA_ADMIN_PASSWORD',
  'OIDC_CLIENT_SECRET',
  'SMTP_URL',
] as const;

/** Compose gives it to everybody, and there is nothing in it until somebody has one. */
const emptyFiles: string[] = ['TELEMETRY_DATABASE_URL'];

/** Validates variables against a schema; an empty variable counts as not set. Shared with `npm start`, which has a few more. */
export function parseEnvironment<S extends z.ZodType>(
  schema: S,
  env: Record<string, string | undefined>,
  readFile = readText,
): z.infer<S> {
  const problems: string[] = [];
  const set = Object.fromEntries(Object.entries(withBrokerNames(env)).filter(([, value]) => value !== ''));
  for (const name of secretNames) {
    const path = set[`${name}_FILE`];
    if (path === undefined) continue;
    if (set[name] !== undefined) problems.push(`${name} and ${name}_FILE: give one of them`);
    try {
      // Editors and `echo` end a file with a line break that is no part of the secret.
      set[name] = readFile(path).replace(/\r?\n$/, '') || undefined;
    } catch (error) {
      problems.push(`${name}_FILE: ${(error as Error).message}`);
    }
    if (set[name] === undefined && !emptyFiles.includes(name)) problems.push(`${name}_FILE: holds no secret`);
  }
  const parsed = schema.safeParse(set);
  if (parsed.success && problems.length === 0) return parsed.data;
  const found = parsed.success ? [] : parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`);
  throw new ConfigError([...problems, ...found]);
}

function readText(path: string): string {
  return readFileSync(path, 'utf8');
}

/** What a variable names by its path, or holds itself where a container gets secrets as variables (PEM or JSON). */
export function readNamed(value: string, readFile: (path: string) => string): string {
  return /^\s*(-----BEGIN |\{)/.test(value) ? value : readFile(value);
}

/** Undefined without a CDN_URL. */
export function readCdn(
  env: Environment,
  readFile: (path: string) => string,
  problems: string[],
): CdnSettings | undefined {
  const { CDN_URL: url, CDN_KEY_PAIR_ID: keyPairId, CDN_PRIVATE_KEY: key } = env;
  if (!url) return undefined;
  if (!keyPairId) problems.push('CDN_KEY_PAIR_ID: is needed with CDN_URL');
  if (!key) problems.push('CDN_PRIVATE_KEY: is needed with CDN_URL');
  if (!keyPairId || !key) return undefined;
  try {
    const privateKey = readNamed(key, readFile);
    const problem = checkCdnKey(privateKey);
    if (problem) problems.push(`CDN_PRIVATE_KEY: ${problem}`);
    return { url, keyPairId, privateKey };
  } catch (error) {
    problems.push(`CDN_PRIVATE_KEY: ${(error as Error).message}`);
    return undefined;
  }
}

export type Config = ReturnType<typeof toConfig>;

/** EMQX serves its dashboard where it serves its HTTP API, unless a proxy stands between. */
export function toDashboardUrl(
  env: Pick<Environment, 'BROKER_DASHBOARD_URL' | 'BROKER_API_URL'>,
): string | null {
  const url = env.BROKER_DASHBOARD_URL ?? env.BROKER_API_URL?.replace(/\/api\/v5\/?$/, '');
  return url?.replace(/\/$/, '') ?? null;
}

/** For a copy of its own (`webhook/main.ts`), where every other part is a real one somewhere else. */
export function toConfig(env: Environment, readFile: (path: string) => string) {
  const problems: string[] = [];
  const need = <K extends keyof Environment>(name: K): NonNullable<Environment[K]> => {
    const value = env[name];
    if (value === undefined) problems.push(`${name}: is needed`);
    return value as NonNullable<Environment[K]>;
  };
  const file = (name: 'CA_CLIENT_CERT' | 'CA_CLIENT_KEY' | 'CA_ROOT' | 'FIRMWARE_KEYS'): string => {
    const path = need(name);
    if (path === undefined) return '';
    try {
      return readNamed(path, readFile);
    } catch (error) {
      problems.push(`${name}: ${(error as Error).message}`);
      return '';
    }
  };
  const config = {
    host: env.HOST,
    port: env.PORT,
    internalPort: env.INTERNAL_PORT,
    publicUrl: env.PUBLIC_URL ?? null,
    proxies: env.TRUSTED_PROXIES,
    requestsPerMinute: env.API_REQUESTS_PER_MINUTE,
    tokenMaxDays: env.TOKEN_MAX_DAYS,
    workers: env.WEBHOOK_WORKERS ?? availableParallelism(),
    databaseUrl: need('DATABASE_URL'),
    telemetryUrl: env.TELEMETRY_DATABASE_URL ?? null,
    store: {
      endpoint: env.S3_ENDPOINT,
      publicUrl: env.S3_PUBLIC_URL,
      deviceUrl: env.S3_DEVICE_URL,
      bucket: need('S3_BUCKET'),
      region: env.AWS_REGION,
      cdn: readCdn(env, readFile, problems),
    },
    dashboardUrl: toDashboardUrl(env),
    mqttUrl: env.BROKER_MQTT_URL,
    emqx: { url: need('BROKER_API_URL'), key: need('BROKER_API_KEY'), secret: need('BROKER_API_SECRET') },
    ca: {
      url: need('CA_URL'),
      cert: file('CA_CLIENT_CERT'),
      key: file('CA_CLIENT_KEY'),
      ca: file('CA_ROOT'),
    },
    webhookToken: need('WEBHOOK_TOKEN'),
    apiToken: env.FLOTA_API_TOKEN ?? null,
    admin:
      env.FLOTA_ADMIN_EMAIL && env.FLOTA_ADMIN_PASSWORD
        ? { email: env.FLOTA_ADMIN_EMAIL, password: env.FLOTA_ADMIN_PASSWORD }
        : null,
    oidc: readOidc(env, problems),
    retention: toRetention(env),
    courier: toCourier(env, problems),
    silentHours: env.SILENT_HOURS,
    transferPrice: toTransferPrice(env),
    trustedKeys: parseKeys(file('FIRMWARE_KEYS'), problems),
    masterKeys: readSealingKeys(env, problems),
  };
  if (Boolean(env.FLOTA_ADMIN_EMAIL) !== Boolean(env.FLOTA_ADMIN_PASSWORD)) {
    problems.push('FLOTA_ADMIN_EMAIL and FLOTA_ADMIN_PASSWORD: give both or neither');
  }
  if (env.TELEMETRY_RAW_HOURS > env.TELEMETRY_DAYS * 24)
    problems.push('TELEMETRY_RAW_HOURS: is more than TELEMETRY_DAYS');
  if (env.OIDC_ISSUER && !env.PUBLIC_URL) problems.push('PUBLIC_URL: is needed with OIDC_ISSUER');
  if (env.PORT !== 0 && env.PORT === env.INTERNAL_PORT) problems.push('PORT and INTERNAL_PORT: must differ');
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

/** Shared with `npm start`. */
export function toRetention(env: Environment): Retention {
  return {
    telemetry: env.TELEMETRY_DAYS,
    telemetryRawHours: env.TELEMETRY_RAW_HOURS,
    logs: env.LOG_DAYS,
    targetEvents: env.EVENT_DAYS,
    targets: env.TARGET_DAYS,
    deadLetters: env.DEAD_LETTER_DAYS,
    notifications: env.NOTIFICATION_DAYS,
    crashes: env.CRASH_DAYS,
  };
}

/** Shared with `npm start`. */
export function toTransferPrice(env: Environment): { perMegabyte: number; currency: string } | null {
  const { PRICE_PER_MB: perMegabyte, PRICE_CURRENCY: currency } = env;
  return perMegabyte === undefined ? null : { perMegabyte, currency };
}

/** Shared with `npm start`. */
export function toCourier(env: Environment, problems: string[]): CourierSettings {
  const { SMTP_URL: url, SMTP_FROM: from } = env;
  if (url && !from) problems.push('SMTP_FROM: is needed with SMTP_URL');
  const mail = url && from ? { url, from, requireTls: env.SMTP_TLS === 'required' } : null;
  return { allowedNetworks: env.NOTIFY_ALLOWED_NETWORKS ?? [], mail };
}

/** Null without them. */
function readSealingKeys({ SEALING_KEYS: text }: Environment, problems: string[]): MasterKeys | null {
  try {
    return text === undefined ? null : readMasterKeys(text);
  } catch (error) {
    problems.push(`SEALING_KEYS: ${(error as Error).message}`);
    return null;
  }
}

const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string() })).min(1) });

function parseKeys(json: string, problems: string[]): z.infer<typeof keySet> {
  if (json === '') return { keys: [] };
  try {
    return keySet.parse(JSON.parse(json));
  } catch {
    problems.push('FIRMWARE_KEYS: must be a JSON Web Key Set whose keys have a kid');
    return { keys: [] };
  }
}

const auditSchema = environmentSchema
  .pick({ PUBLIC_URL: true, PORT: true, FLOTA_API_TOKEN: true })
  .extend({ FLOTA_DATA: text.default('.flota') });

export interface AuditConfig {
  url: string;
  apiToken: string;
}

/** For `npm run audit`. */
export function toAuditConfig(
  env: z.infer<typeof auditSchema>,
  readFile: (path: string) => string,
): AuditConfig {
  return {
    url: (env.PUBLIC_URL ?? `http://localhost:${env.PORT}`).replace(/\/$/, ''),
    apiToken: env.FLOTA_API_TOKEN ?? readMadeToken(env.FLOTA_DATA, readFile),
  };
}

/** `npm start` makes a token where none is given, and keeps it in its data directory. */
function readMadeToken(dataDir: string, readFile: (path: string) => string): string {
  try {
    const secrets: unknown = JSON.parse(readFile(`${dataDir}/secrets.json`));
    return z.object({ apiToken: z.string() }).parse(secrets).apiToken;
  } catch {
    throw new ConfigError(['FLOTA_API_TOKEN: is needed (or the FLOTA_DATA of npm start)']);
  }
}

const migrationSchema = environmentSchema.pick({ DATABASE_URL: true }).required();

/** For `main.ts migrate`: it needs no other part. */
export function toMigrationConfig(env: z.infer<typeof migrationSchema>): { databaseUrl: string } {
  return { databaseUrl: env.DATABASE_URL };
}

/** This and the next two are the only readers of `process.env` in the webhook. */
export function readConfig(): Config {
  return toConfig(parseEnvironment(environmentSchema, process.env), readText);
}

export function readAuditConfig(): AuditConfig {
  return toAuditConfig(parseEnvironment(auditSchema, process.env), readText);
}

export function readMigrationConfig(): { databaseUrl: string } {
  return toMigrationConfig(parseEnvironment(migrationSchema, process.env));
}
