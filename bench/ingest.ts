/** What one copy of the webhook takes in on a real PostgreSQL: events as EMQX posts them, each answered after its commit. */
import { randomBytes, randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import postgres from 'postgres';
import { createEmqxApi } from '#emqx/api.ts';
import { connect } from '#webhook/db/connect.ts';
import { createObjectStore } from '#webhook/firmware/objects.ts';
import { startWebhook } from '#webhook/server.ts';
import startPostgresql from '../.ci/postgresql.ts';
import type { Figures } from './figures.ts';

const events = 20_000;
const devices = 1_000;
/** As many as EMQX has in flight: 4 workers with a window of 100. */
const inFlight = 400;

export async function measureIngest(): Promise<Figures> {
  const stop = await startPostgresql();
  const url = process.env.FLOTA_TEST_POSTGRESQL!;
  const database = await connect({ url });
  const client = postgres(url, { max: inFlight / 20 });
  const webhookToken = randomBytes(16).toString('hex');
  const nobody = {
    endpoint: 'http://127.0.0.1:9',
    bucket: 'none',
    region: 'us-east-1',
    credentials: { accessKeyId: 'x', secretAccessKey: 'x' },
  };
  const objects = createObjectStore(nobody);
  const broker = createEmqxApi({ url: 'http://127.0.0.1:9', key: 'x', secret: 'x' });
  const webhook = await startWebhook(
    {
      database,
      objects,
      // Acks go nowhere here: what is measured is the way in.
      broker: {
        ...broker,
        publishBulk: async (messages) => messages.map(() => ({ kind: 'routed' as const })),
      },
      authority: { crls: async () => [] } as never,
      signer: null,
      trustedKeys: { keys: [] },
      log: () => {},
      webhookToken,
      apiToken: null,
      publicUrl: null,
      consoleDir: null,
    },
    { host: '127.0.0.1', port: 0, internalPort: 0, admin: null },
  );
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight });
  const post = (number: number) =>
    new Promise<void>((resolve, reject) => {
      const id = `bench-${number % devices}`;
      const payload = JSON.stringify({
        id: randomUUID(),
        at: null,
        seq: [1, number],
        state: 'ok',
        running: [],
      });
      const body = JSON.stringify({
        event: 'message',
        clientid: id,
        topic: `devices/${id}/status/health`,
        payload,
        cert: `CN=${id}`,
        received_at: Date.now(),
      });
      const headers = {
        authorization: `Bearer ${webhookToken}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      };
      const asked = request(
        {
          agent,
          port: webhook.internalPort,
          host: '127.0.0.1',
          method: 'POST',
          path: '/emqx/events',
          headers,
        },
        (response) => {
          response.resume();
          response.once('end', () =>
            response.statusCode === 204 ? resolve() : reject(new Error(`answered ${response.statusCode}`)),
          );
        },
      );
      asked.once('error', reject);
      asked.end(body);
    });
  try {
    await client`insert into devices (id, name, hardware) select 'bench-' || n, 'bench-' || n, 'esp32-s3' from generate_series(0, ${devices - 1}) n`;
    await pump(2_000, post);
    const rate = await pump(events, (n) => post(n + 2_000));
    // What PostgreSQL itself does of the same on as many connections as the copy has: a row, a commit.
    await client`create table plain (id uuid primary key, device text, body text)`;
    const plain = postgres(url, { max: 10 });
    const baseline = await pump(5_000, async (n) => {
      await plain`insert into plain values (${randomUUID()}, ${`bench-${n % devices}`}, ${'x'.repeat(200)})`;
    });
    await plain.end();
    return {
      'ingest.critical': {
        value: Math.round(rate),
        unit: 'events/s',
        baseline: Math.round(baseline),
        ratio: rate / baseline,
        aim: null,
      },
    };
  } finally {
    agent.destroy();
    await webhook.close();
    objects.close();
    broker.close();
    await client.end();
    await database.close();
    await stop();
  }
}

async function pump(count: number, work: (number: number) => Promise<void>): Promise<number> {
  let next = 0;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      for (let number = next++; number < count; number = next++) await work(number);
    }),
  );
  return count / ((performance.now() - start) / 1000);
}
