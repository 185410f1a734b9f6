/** Options and environment of `npm start`, checked whole before anything is touched. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { readOidc } from '#webhook/auth/oidc/settings.ts';
import {
  ConfigError,
  environmentSchema,
  parseEnvironment,
  readCdn,
  readNamed,
  toCourier,
  toDashboardUrl,
  toRetention,
  toTransferPrice,
} from '#webhook/config.ts';
import { defaultOptions, type SystemOptions } from '../lab/system/options.ts';

const port = z.coerce.number().int().min(0).max(65_535);

const localSchema = environmentSchema.extend({
  FLOTA_DATA: z.string().min(1).default('.flota'),
  MQTT_PORT: port.default(8883),
  BROKER_API_PORT: port.default(18_083),
  S3_PORT: port.default(9000),
  S3_TLS_PORT: port.default(9443),
});

export const help = `Usage: npm start -- [options]

Starts all of Flota on this machine, with virtual devices, and deploys a demo firmware to them.

  --devices N   how many virtual devices (default 10, at most 500; 0: an empty playground for devices of one's own)
  --host-devices N  and how many that run the agent in C (default 0, at most 20; needs clang-19, libmosquitto-dev,
                libcurl4-openssl-dev and libssl-dev to build it)
  --qemu-devices N  and how many as a bare board with a Cortex-M3 that qemu emulates (default 0, at most 4; needs qemu-system-arm,
                gcc-arm-none-eabi, picolibc-arm-none-eabi, and the sources of lwIP and Mbed TLS that "npm test" fetches)
  --open        open the console in the browser
  --no-demo     start the system and the devices, deploy nothing
  --exit        stop after the demo deployment: status 0 when every device succeeded, else 1; the console is not built (with --open it is)
  --help        this text

Environment: FLOTA_DATA (.flota) PORT (8080) INTERNAL_PORT (8081) MQTT_PORT (8883) BROKER_API_PORT (18083) S3_PORT (9000)
  S3_TLS_PORT (9443) FLOTA_ADMIN_EMAIL FLOTA_ADMIN_PASSWORD FLOTA_API_TOKEN PUBLIC_URL DATABASE_URL …: see README.md
`;

/** Every port is chosen by the system. */
export const anyPorts = {
  PORT: '0',
  INTERNAL_PORT: '0',
  MQTT_PORT: '0',
  BROKER_API_PORT: '0',
  S3_PORT: '0',
  S3_TLS_PORT: '0',
};

export interface LocalConfig extends SystemOptions {
  devices: number;
  /** Processes of the agent in C. */
  hostDevices: number;
  /** The same on an emulated board. */
  qemuDevices: number;
  demo: boolean;
  open: boolean;
  exit: boolean;
}

/** Throws ConfigError with every problem; 'help' when that is all that was asked for. */
export function toLocalConfig(
  args: string[],
  environment: Record<string, string | undefined>,
): LocalConfig | 'help' {
  const problems: string[] = [];
  const options = readOptions(args, problems);
  if (options?.help) return 'help';
  let env: z.infer<typeof localSchema> | null = null;
  try {
    env = parseEnvironment(localSchema, environment);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
  }
  const devices = z.coerce
    .number()
    .int()
    .min(0)
    .max(500)
    .safeParse(options?.devices ?? '10');
  if (!devices.success) problems.push('--devices: must be a whole number from 0 to 500');
  const hostDevices = z.coerce
    .number()
    .int()
    .min(0)
    .max(20)
    .safeParse(options?.['host-devices'] ?? '0');
  if (!hostDevices.success) problems.push('--host-devices: must be a whole number from 0 to 20');
  const qemuDevices = z.coerce
    .number()
    .int()
    .min(0)
    .max(4)
    .safeParse(options?.['qemu-devices'] ?? '0');
  if (!qemuDevices.success) problems.push('--qemu-devices: must be a whole number from 0 to 4');
  if (options?.exit && options['no-demo']) problems.push('--exit: goes with the demo, so not with --no-demo');
  if (options?.exit && devices.data === 0 && hostDevices.data === 0 && qemuDevices.data === 0)
    problems.push('--exit: goes with the demo, which needs a device');
  if (env && (env.WEBHOOK_WORKERS ?? 1) > 1)
    problems.push('WEBHOOK_WORKERS: must be 1, for npm start is one process; webhook/main.ts has workers');
  if (env) problems.push(...findPortClashes(env));
  const real = env && readRealParts(env, problems);
  const oidc = env ? readOidc(env, problems) : undefined;
  const courier = env && toCourier(env, problems);
  if (problems.length > 0 || !env || !real || !courier) throw new ConfigError(problems);
  return {
    ...defaultOptions,
    ...real,
    dataDir: resolve(env.FLOTA_DATA),
    devices: devices.data!,
    hostDevices: hostDevices.data!,
    qemuDevices: qemuDevices.data!,
    demo: !options?.['no-demo'] && devices.data! + hostDevices.data! + qemuDevices.data! > 0,
    open: options?.open ?? false,
    exit: options?.exit ?? false,
    host: env.HOST,
    ports: {
      http: env.PORT,
      internal: env.INTERNAL_PORT,
      mqtt: env.MQTT_PORT,
      emqxApi: env.BROKER_API_PORT,
      s3: env.S3_PORT,
      s3Tls: env.S3_TLS_PORT,
    },
    publicUrl: env.PUBLIC_URL ?? null,
    proxies: env.TRUSTED_PROXIES,
    requestsPerMinute: env.API_REQUESTS_PER_MINUTE,
    tokenMaxDays: env.TOKEN_MAX_DAYS,
    oidc: oidc ?? null,
    retention: toRetention(env),
    courier,
    silentHours: env.SILENT_HOURS,
    transferPrice: toTransferPrice(env),
    databaseUrl: env.DATABASE_URL ?? null,
    adminEmail: env.FLOTA_ADMIN_EMAIL ?? defaultOptions.adminEmail,
    adminPassword: env.FLOTA_ADMIN_PASSWORD ?? null,
    apiToken: env.FLOTA_API_TOKEN ?? null,
    dashboardUrl: toDashboardUrl(env),
  };
}

function readOptions(args: string[], problems: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        devices: { type: 'string' },
        'host-devices': { type: 'string' },
        'qemu-devices': { type: 'string' },
        'no-demo': { type: 'boolean' },
        open: { type: 'boolean' },
        exit: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    problems.push((error as Error).message.split('. ')[0]!);
    return null;
  }
}

function readRealParts(
  env: z.infer<typeof localSchema>,
  problems: string[],
): Pick<LocalConfig, 's3' | 'cdn' | 'emqx' | 'ca'> {
  const need = (name: keyof typeof env, because: string): string => {
    if (env[name] === undefined) problems.push(`${name}: is needed with ${because}`);
    return String(env[name] ?? '');
  };
  const file = (name: 'CA_CLIENT_CERT' | 'CA_CLIENT_KEY' | 'CA_ROOT'): string => {
    const path = need(name, 'CA_URL');
    try {
      return path && readNamed(path, readText);
    } catch (error) {
      problems.push(`${name}: ${(error as Error).message}`);
      return '';
    }
  };
  return {
    s3: env.S3_ENDPOINT
      ? {
          endpoint: env.S3_ENDPOINT,
          publicUrl: env.S3_PUBLIC_URL,
          deviceUrl: env.S3_DEVICE_URL,
          bucket: need('S3_BUCKET', 'S3_ENDPOINT'),
          region: env.AWS_REGION,
        }
      : null,
    cdn: readCdn(env, readText, problems) ?? null,
    emqx: env.BROKER_API_URL
      ? {
          url: env.BROKER_API_URL,
          key: need('BROKER_API_KEY', 'BROKER_API_URL'),
          secret: need('BROKER_API_SECRET', 'BROKER_API_URL'),
          mqttUrl: need('BROKER_MQTT_URL', 'BROKER_API_URL'),
        }
      : null,
    ca: env.CA_URL
      ? { url: env.CA_URL, cert: file('CA_CLIENT_CERT'), key: file('CA_CLIENT_KEY'), ca: file('CA_ROOT') }
      : null,
  };
}

function readText(path: string): string {
  return readFileSync(path, 'utf8');
}

function findPortClashes(env: z.infer<typeof localSchema>): string[] {
  const names = ['PORT', 'INTERNAL_PORT', 'MQTT_PORT', 'BROKER_API_PORT', 'S3_PORT', 'S3_TLS_PORT'] as const;
  return names.flatMap((name, i) =>
    names
      .slice(0, i)
      .filter((other) => env[other] === env[name] && env[name] !== 0)
      .map((other) => `${other} and ${name}: both are ${env[name]}`),
  );
}
