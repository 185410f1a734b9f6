/** A copy of the webhook on a real PostgreSQL of its own, as production runs it; what is beside it are doubles. */
import { randomUUID } from 'node:crypto';
import postgres from 'postgres';
import type { EmqxApi } from '#emqx/api.ts';
import { connect } from '#webhook/db/connect.ts';
import type { ReconcileTimes } from '#webhook/devices/reconcile.ts';
import { createObjectStore } from '#webhook/firmware/objects.ts';
import { startWebhook, type Webhook, type WebhookParts } from '#webhook/server.ts';
import { createMemoryStore } from '#webhook/testing-store.ts';
import { createTestWitness } from '#webhook/testing-witness.ts';
import { type ClusterOptions, createCluster } from '../primitives/postgresql.ts';

/** Commits are durable, as in production; gone with what it holds when `work` ends. */
export async function withPostgresql<T>(
  work: (url: string) => Promise<T>,
  options: Pick<ClusterOptions, 'sharedBuffers'> = {},
): Promise<T> {
  const cluster = await createCluster({ durable: true, ...options });
  try {
    return await work(cluster.url);
  } finally {
    await cluster.remove();
  }
}

/** Answers the URL of a new database on that server. */
export async function createDatabase(server: string): Promise<string> {
  const name = `bench_${randomUUID().replaceAll('-', '')}`;
  const client = postgres(server, { max: 1, onnotice: () => {} });
  await client.unsafe(`create database ${name}`);
  await client.end();
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

export const firmware = { id: randomUUID(), sha256: 'a'.repeat(64), sizeBytes: 1_048_576 };

/** Devices that can be reached, all in the region that is answered, and a signed firmware for them. */
export async function fillDevices(sql: postgres.Sql, devices: number): Promise<string> {
  const region = randomUUID();
  await sql`insert into regions (id, name) values (${region}, 'everywhere')`;
  await sql`
    insert into devices (id, name, region_id, hardware, online, reachable)
    select 'dev-' || n, 'Device ' || n, ${region}, 'esp32-s3', true, true from generate_series(1, ${devices}::int) n`;
  await sql`
    insert into firmwares (id, name, version, file_name, author, hardware, component, security_version, release_note,
      s3_path, size_bytes, sha256, manifest)
    values (${firmware.id}, 'bench', '1.0.0', 'firmware.bin', 'bench', 'esp32-s3', 'main', 0, '',
      ${`1.0.0/${firmware.id}/firmware.bin`}, ${firmware.sizeBytes}, ${firmware.sha256}, ${'m'.repeat(500)})`;
  await sql`analyze`;
  return region;
}

export const apiToken = randomUUID();
export const webhookToken = randomUUID();

export function parts(database: WebhookParts['database'], broker: EmqxApi): WebhookParts {
  const s3 = createObjectStore({
    bucket: 'bench',
    region: 'us-east-1',
    endpoint: 'https://store.test',
    credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
  });
  return {
    database,
    broker,
    // What devices are sent is presigned as in production, which is a computation and asks nobody.
    objects: { ...createMemoryStore(), presignForDevice: s3.presignForDevice },
    authority: { crls: async () => [], ...createTestWitness(() => false) } as never,
    signer: null,
    trustedKeys: { keys: [] },
    log: (level, message, fields) => {
      if (level !== 'info') console.error(message, fields);
    },
    webhookToken,
    apiToken,
    publicUrl: null,
    consoleDir: null,
  };
}

/** A broker that takes everything. */
export function deafBroker(onPublish: (messages: number) => unknown = () => {}): EmqxApi {
  return {
    publishBulk: async (messages) => {
      await onPublish(messages.length);
      return messages.map(() => ({ kind: 'routed' as const }));
    },
    async *listClients() {},
    runningNodes: async () => ['emqx@127.0.0.1'],
    kick: async () => false,
    ban: async () => {},
    unban: async () => {},
    close() {},
  };
}

const dayMs = 86_400_000;

export interface Copy extends Webhook {
  /** A connection of ours to the same database. */
  sql: postgres.Sql;
  /** JSON, as the automation token's holder. Throws for anything but a 2xx. */
  api(method: string, path: string, body?: unknown): Promise<unknown>;
}

/** On the database at `url`; closed with all that it has opened. */
export async function startCopy(
  url: string,
  broker: EmqxApi,
  // The doubles list no client: a comparison during a long run would put all devices offline.
  reconcile: ReconcileTimes = {
    periodMs: dayMs,
    faultMs: dayMs,
    youngMs: dayMs,
    settledMs: dayMs,
    watchMs: dayMs,
  },
): Promise<Copy> {
  const database = await connect({ url });
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  const copy = await startWebhook(parts(database, broker), {
    host: '127.0.0.1',
    port: 0,
    internalPort: 0,
    admin: null,
    reconcile,
  });
  return {
    ...copy,
    sql,
    async api(method, path, body) {
      const response = await fetch(`http://127.0.0.1:${copy.port}${path}`, {
        method,
        headers: { authorization: `Bearer ${apiToken}`, 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
      return response.json();
    },
    async close() {
      await copy.close();
      await sql.end();
      await database.close();
    },
  };
}

/** For whoever waits: long work says how far it is. */
export function tell(text: string): void {
  process.stderr.write(`  ${text}\n`);
}
