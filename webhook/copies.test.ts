/** Three copies side by side on one PostgreSQL, each a process; one is killed, one is told to stop. */
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { forkGuarded } from '#deploy/lab/primitives/guard.ts';
import { listen } from '#deploy/lab/primitives/listen.ts';
import { type Cluster, createCluster } from '#deploy/lab/primitives/postgresql.ts';
import { until } from '#deploy/lab/primitives/until.ts';
import { connect, type Database } from './db/connect.ts';
import { query } from './db/query.ts';
import {
  createRecordingBroker,
  type Json,
  startTestWebhook,
  type TestWebhook,
  webhookToken,
} from './testing.ts';
import type { CopyOrder, CopyPorts } from './testing-copy.ts';

/** A device as its agent is: it says what is critical again until that is acked, to whichever copy the broker reaches. */
interface Device {
  id: string;
  number: number;
  unacked: Map<string, object>;
  attempts: Set<number>;
}

let cluster: Cluster;
let database: Database;
let emqx: Server;
/** In this process, for setting up and looking on: for it, the broker is away. */
let desk: TestWebhook;
const copies: { child: ChildProcess; ports: CopyPorts }[] = [];
const devices = new Map<string, Device>();
let sha256 = '';

beforeAll(async () => {
  cluster = await createCluster();
  database = await connect({ url: cluster.url });
  emqx = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.setHeader('content-type', 'application/json');
      if (!request.url!.includes('publish/bulk')) {
        response.end(JSON.stringify({ data: [], meta: { hasnext: false } }));
        return;
      }
      const messages = JSON.parse(Buffer.concat(chunks).toString()) as { topic: string; payload: string }[];
      response.end(JSON.stringify(messages.map((_, i) => ({ id: String(i) }))));
      for (const { topic, payload } of messages) hear(topic, JSON.parse(payload));
    });
  });
  const emqxUrl = `http://127.0.0.1:${await listen(emqx)}`;
  for (let i = 0; i < 3; i++) {
    const child = forkGuarded(new URL('./testing-copy.ts', import.meta.url));
    child.send({ databaseUrl: cluster.url, emqxUrl } satisfies CopyOrder);
    const [ports] = (await once(child, 'message')) as [CopyPorts];
    copies.push({ child, ports });
  }
  const away = { ...createRecordingBroker(), publishBulk: () => Promise.reject(new Error('not from here')) };
  desk = await startTestWebhook(database, { broker: away as never });
});
afterAll(async () => {
  await desk?.close();
  for (const { child } of copies) child.kill('SIGKILL');
  emqx?.close();
  emqx?.closeAllConnections();
  await database?.close();
  await cluster?.remove();
});

function hear(topic: string, body: Json): void {
  const [, id, ...rest] = topic.split('/');
  const device = devices.get(id!);
  if (!device) return;
  if (rest.join('/') === 'ack') for (const acked of body.ids) device.unacked.delete(acked);
  if (rest.join('/') !== 'firmware/download/request') return;
  const { deployment, attempt } = body;
  if (device.attempts.has(attempt)) return;
  device.attempts.add(attempt);
  const running = { component: 'main', version: '1', securityVersion: 0, sha256 };
  say(device, 'firmware/download/request/ack', { deployment, attempt, accepted: true });
  say(device, 'firmware/download/result', { deployment, attempt, outcome: 'succeeded', running });
}

function say(device: Device, topic: string, body: object): void {
  const id = randomUUID();
  const payload = JSON.stringify({ id, at: null, seq: [1, device.number++], ...body });
  device.unacked.set(id, {
    event: 'message',
    clientid: device.id,
    topic: `devices/${device.id}/${topic}`,
    payload,
    cert: `CN=${device.id}`,
    received_at: Date.now(),
  });
}

/** As the broker's action does: to one of the copies that live, and again when that did not answer 204. */
async function post(row: object): Promise<boolean> {
  const living = copies.filter(({ child }) => child.exitCode === null && child.signalCode === null);
  const { ports } = living[Math.floor(Math.random() * living.length)]!;
  const answer = await fetch(`http://127.0.0.1:${ports.internalPort}/emqx/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${webhookToken}` },
    body: JSON.stringify(row),
  }).catch(() => null);
  return answer?.status === 204;
}

const resend = () =>
  Promise.all([...devices.values()].flatMap(({ unacked }) => [...unacked.values()].map((row) => post(row))));

test('when one of three copies is killed and one stops, every update ends once and no message is lost', async () => {
  const firmware = await desk.firmware();
  sha256 = firmware.sha256;
  for (let i = 0; i < 60; i++) {
    const { id } = await desk.device();
    devices.set(id, { id, number: 0, unacked: new Map(), attempts: new Set() });
  }
  const subscribe = (id: string) => ({
    event: 'subscribed',
    clientid: id,
    topic: `devices/${id}/firmware/download/request`,
    cert: `CN=${id}`,
  });
  for (const id of devices.keys()) await until('a subscription', () => post(subscribe(id)));
  const body = { firmwareId: firmware.id, devices: [...devices.keys()], policy: { ratePerMinute: 20 } };
  const { body: made } = await desk.api('POST', '/api/deployments', body);
  const asked = () => [...devices.values()].filter((d) => d.attempts.size > 0).length;
  /** As if a minute had passed, unless more than these have started. With the row locked: no look is between the two statements. */
  const startMoreThan = (started: number) =>
    database.db.transaction(async (tx) => {
      await tx.execute(sql`select 1 from deployments where id = ${made.id} for update`);
      await tx.execute(sql`
        update deployments set memory = jsonb_set(memory, '{recent}', '[]'), next_look_at = now()
        where id = ${made.id} and ${started} >= (select count(*) from targets where attempt > 0)`);
    });
  const endLeases = () =>
    database.db.execute(sql`update outbox set send_at = now() where send_at > now() + interval '3 s'`);

  await until('the first twenty', () => asked() >= 20);
  const flood = resend();
  copies[0]!.child.kill('SIGKILL');
  await startMoreThan(20);
  await flood;
  // What the killed one held would be sent when its lease ends.
  await until('the next twenty', async () => {
    await startMoreThan(20);
    await endLeases();
    await resend();
    return asked() >= 40;
  });
  const stopping = resend();
  const stopped = once(copies[1]!.child, 'exit');
  copies[1]!.child.kill('SIGTERM');
  await startMoreThan(40);
  await stopping;
  expect(await stopped).toEqual([0, null]);

  const ended = await until('the end', async () => {
    await startMoreThan(40);
    await endLeases();
    await resend();
    const { body } = await desk.api('GET', `/api/deployments/${made.id}`);
    return body.state === 'completed' ? body : null;
  });
  expect(ended.counts.succeeded).toBe(60);
  await until('all acks', async () => {
    await resend();
    return [...devices.values()].every(({ unacked }) => unacked.size === 0);
  });
  const told = await query<{ n: number; devices: number }>(
    database.db,
    sql`select count(*)::int as n, count(distinct device_id)::int as devices from target_events where state = 'succeeded'`,
  );
  expect(told).toEqual([{ n: 60, devices: 60 }]);
  const [received] = await query<{ n: number }>(
    database.db,
    sql`select count(*)::int as n from received_messages`,
  );
  expect(received!.n).toBe([...devices.values()].reduce((sum, d) => sum + d.number, 0));
});
