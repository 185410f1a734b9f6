/** `webhook/main.ts` as a process, with a database, a broker's API and nothing else: what is missing is named, and not reached. */

import type { ChildProcess } from 'node:child_process';
import { spawnGuarded } from '#deploy/lab/primitives/guard.ts';
import { program } from '#deploy/lab/primitives/programs.js';

export function spawnCopy(given: {
  workers: number;
  databaseUrl: string;
  brokerUrl: string;
  webhookToken: string;
}): ChildProcess {
  return spawnGuarded(process.execPath, program(new URL('../main.ts', import.meta.url)), {
    env: {
      ...process.env,
      ...{ PORT: '0', INTERNAL_PORT: '0', WEBHOOK_WORKERS: String(given.workers) },
      ...{ DATABASE_URL: given.databaseUrl, WEBHOOK_TOKEN: given.webhookToken },
      ...{ S3_ENDPOINT: 'http://127.0.0.1:1', S3_BUCKET: 'none' },
      ...{ AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'x' },
      ...{ BROKER_API_URL: given.brokerUrl, BROKER_API_KEY: 'x', BROKER_API_SECRET: 'x' },
      ...{ CA_URL: 'https://127.0.0.1:1', CA_ROOT: '-----BEGIN ' },
      ...{ CA_CLIENT_CERT: '-----BEGIN ', CA_CLIENT_KEY: '-----BEGIN ' },
      FIRMWARE_KEYS: '{"keys":[{"kty":"EC","kid":"a"}]}',
    },
  });
}
