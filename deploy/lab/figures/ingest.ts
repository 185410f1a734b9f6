/** Events committed a second through HTTP, acks included, against the same server without the work, and with one INSERT an event. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { sql } from 'drizzle-orm';
import { createEmqxApi, type EmqxApi } from '#emqx/api.ts';
import { createInternalApp } from '#webhook/app.ts';
import type { Context } from '#webhook/context.ts';
import { connect, type Database } from '#webhook/db/connect.ts';
import type { Ingest } from '#webhook/events/ingest.ts';
import { createReceiver } from '#webhook/events/receiver.ts';
import { openListener } from '#webhook/listener.ts';
import { createMetrics } from '#webhook/metrics/metrics.ts';
import { forkGuarded } from '../primitives/guard.ts';
import type { Order, Report } from './event-client.ts';
import { byRound, type Figures, median } from './figures.ts';
import {
  createDatabase,
  deafBroker,
  fillDevices,
  firmware,
  parts,
  startCopy,
  tell,
  webhookToken,
  withPostgresql,
} from './webhook-copy.ts';
import { compareWorkers } from './workers.ts';

const devices = 40_000;
const events = 15_000;
const warmUp = 5_000;
const rounds = 5;
const aimProcessorUs = 90;

export async function measureIngest(): Promise<Figures> {
  return withPostgresql(async (server) => {
    const client = forkGuarded(new URL('./event-client.ts', import.meta.url));
    try {
      return await compare(server, client);
    } finally {
      client.kill();
    }
  });
}

async function compare(server: string, client: ChildProcess): Promise<Figures> {
  const [{ apiPort }] = (await once(client, 'message')) as [{ apiPort: number }];
  const url = await createDatabase(server);
  const deployment = await startUpdates(url);
  const api = createEmqxApi({ url: `http://127.0.0.1:${apiPort}`, key: 'bench', secret: 'bench' });
  const copy = await startCopy(url, { ...api, async *listClients() {} });
  const database = await connect({ url });
  await database.db.execute(
    sql`create table single (device_id text, topic text, at timestamptz, body jsonb)`,
  );
  const bare = await serve(database, api, async () => null);
  const single = await serve(database, api, async (input) => {
    if (input.kind !== 'message') throw new Error('no message');
    const { deviceId, topic, receivedAt, message } = input;
    await database.db.execute(
      sql`insert into single values (${deviceId}, ${topic}, ${new Date(receivedAt).toISOString()}::timestamptz,
        ${JSON.stringify(message)}::jsonb)`,
    );
    return null;
  });
  try {
    let first = 0;
    const measure = async (port: number, count: number) => {
      const order: Order = {
        ...{ port, token: webhookToken, events: count, first, devices, deployment },
        sha256: firmware.sha256,
      };
      const before = process.cpuUsage();
      client.send(order);
      first += count;
      const [report] = (await once(client, 'message')) as [Report];
      if ('error' in report) throw new Error(report.error);
      if (!('perSecond' in report)) throw new Error('an unexpected report');
      const { user, system } = process.cpuUsage(before);
      return { ...report, processorUs: (user + system) / count };
    };
    const found = { ingest: [] as number[], bare: [] as number[], single: [] as number[] };
    const processor = { ingest: [] as number[], bare: [] as number[] };
    let acks = 0;
    for (let i = -1; i < rounds; i++) {
      const count = i < 0 ? warmUp : events;
      const committed = await measure(copy.internalPort, count);
      acks += committed.acks;
      const [none, one] = [await measure(bare.port, count), await measure(single.port, count)];
      if (i < 0) continue;
      found.ingest.push(committed.perSecond);
      found.bare.push(none.perSecond);
      found.single.push(one.perSecond);
      processor.ingest.push(committed.processorUs);
      processor.bare.push(none.processorUs);
      tell(
        `round ${i + 1} of ${rounds}: ${[committed, none, one].map((r) => Math.round(r.perSecond)).join(', ')} a second`,
      );
    }
    await verify(database, acks);
    const workers = await compareWorkers(url, `http://127.0.0.1:${apiPort}`, async (port, count) => {
      const { perSecond } = await measure(port, count);
      return perSecond;
    });
    const figure = (baselines: number[], aim: number) => ({
      ...byRound(found.ingest, baselines),
      unit: 'events committed/s',
      aim,
    });
    const [work, parsing] = [median(processor.ingest), median(processor.bare)];
    return {
      'ingest.processor': {
        value: Math.round(work),
        unit: 'µs of processor time an event, of the webhook alone; baseline: the same listener without the work',
        baseline: Math.round(parsing),
        ratio: Number((aimProcessorUs / work).toFixed(3)),
        aim: 1,
      },
      'ingest.against_parsing': figure(found.bare, 0.5),
      'ingest.against_single_inserts': figure(found.single, 5),
      ...workers,
    };
  } finally {
    await Promise.all([bare.close(), single.close()]);
    await copy.close();
    await database.close();
    api.close();
  }
}

/** A deployment in the middle: every device downloads. */
async function startUpdates(url: string): Promise<string> {
  const copy = await startCopy(url, deafBroker());
  const client = copy.sql;
  try {
    const region = await fillDevices(client, devices);
    // Nobody answers here: on a busy machine the first would time out before the last is sent, and all never be sent.
    const policy = { ackTimeoutMs: 86_400_000 };
    const body = { firmwareId: firmware.id, regions: [region], policy };
    const { id } = (await copy.api('POST', '/api/deployments', body)) as { id: string };
    for (let sent = 0; sent < devices; ) {
      const [row] = await client`select count(*)::int as n from targets where state = 'sent'`;
      sent = row!.n;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await client`
      update targets set state = 'downloading', deadline_at = now() + interval '1 day', total_bytes = 1048576`;
    await client`update deployments set policy = policy || '{"downloadTimeoutMs": 86400000}'`;
    await client`vacuum analyze`;
    return id;
  } finally {
    await copy.close();
  }
}

/** The internal listener itself, down to the parsed and classified event; only what is done with it is another. */
async function serve(database: Database, broker: EmqxApi, submit: Ingest['submit']) {
  const context: Context = {
    ...parts(database, broker),
    db: database.db,
    live: {} as never,
    passwords: {} as never,
    courier: {} as never,
    symboliser: {} as never,
    metrics: createMetrics(),
    wake: () => {},
    closing: new AbortController().signal,
    publicUrl: 'http://localhost',
  };
  const server = await openListener(createInternalApp(context), context.log, {
    host: '127.0.0.1',
    port: 0,
    receiver: createReceiver(context, { submit, stop: async () => {} }),
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** What was answered 204 is there, and what is critical was acked. */
async function verify({ db }: Database, acks: number): Promise<void> {
  const critical = (warmUp + rounds * events) / 20;
  const [row] = (await db.execute(sql`
    select (select count(*)::int from received_messages) as received,
      (select count(*)::int from targets where state = 'succeeded') as succeeded,
      (select count(*)::int from measurements) as telemetry`)) as unknown as Record<string, number>[];
  const expected = { received: critical, succeeded: critical, telemetry: critical * 7 };
  for (const [what, n] of Object.entries(expected)) {
    if (row![what] !== n) throw new Error(`${what}: ${row![what]} instead of ${n}`);
  }
  if (acks !== critical) throw new Error(`${acks} acks for ${critical} messages`);
}
