import { CaError } from '#ca/client.ts';
import { ConfigError } from '#webhook/config.ts';
import type { LocalConfig } from './config.ts';
import { DataDirectoryInUse } from './data-lock.ts';

/** One clear line for what a user can mend; the stack trace only for our own mistakes. */
export function explain(error: unknown, config: LocalConfig | null): string {
  if (error instanceof ConfigError) return error.problems.join('\n');
  if (error instanceof DataDirectoryInUse) return error.message;
  if (error instanceof CaError) {
    const where = config?.ca ? 'the CA at CA_URL' : `the CA in ${config?.dataDir}/ca`;
    return `${where} cannot be used (${error.code}): ${error.message}`;
  }
  const { code, port, path, message } = error as NodeJS.ErrnoException & { port?: number };
  const name = portVariable(config, port);
  if (code === 'EADDRINUSE') return `port ${port} is taken: stop what uses it, or set ${name} to another`;
  if (code === 'EACCES' && port) return `port ${port} may not be opened by this user: set ${name} to another`;
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM' || code === 'ENOTDIR' || code === 'ENOSPC') {
    return `${config?.dataDir ?? path} cannot be written (${code}): choose another FLOTA_DATA`;
  }
  if (code === 'ECONNREFUSED' || code === 'CONNECT_TIMEOUT' || code === 'ENOTFOUND') {
    return `cannot reach what the environment names (${message || code}): check DATABASE_URL, BROKER_API_URL, S3_ENDPOINT, CA_URL`;
  }
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function portVariable(config: LocalConfig | null, port: number | undefined): string {
  const { http, internal, mqtt, emqxApi, s3, s3Tls } = config?.ports ?? {};
  const names = new Map([
    [http, 'PORT'],
    [internal, 'INTERNAL_PORT'],
    [mqtt, 'MQTT_PORT'],
    [emqxApi, 'BROKER_API_PORT'],
    [s3, 'S3_PORT'],
    [s3Tls, 'S3_TLS_PORT'],
  ]);
  return names.get(port) ?? 'its variable';
}
