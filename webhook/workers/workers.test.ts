/** `webhook/main.ts` with two workers on one PostgreSQL, as production starts it: one is killed, all are replaced, all are stopped. */
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { listen } from '#deploy/lab/primitives/listen.ts';
import { type Cluster, createCluster } from '#deploy/lab/primitives/postgresql.ts';
import { until } from '#deploy/lab/primitives/until.ts';
import { connect, type Database } from '../db/connect.ts';
import { query } from '../db/query.ts';
import { spawnCopy } from './testing-copy.ts';

interface Listening {
  worker: number;
  url: string;
  internalPort: number;
}

/** A worker starts in two seconds where the machine has nothing else to do. */
const patienceMs = 60_000;
vi.setConfig({ testTimeout: 2 * patienceMs, hookTimeout: 2 * patienceMs });
const webhookToken = randomUUID();
let cluster: Cluster;
let database: Database;
let copy: ChildProcess;
const emqx = createServer((_, response) => response.end('[]'));
const listening: Listening[] = [];
let log = '';

beforeAll(async () => {
  cluster = await createCluster();
  database = await connect({ url: cluster.url, connections: 2 });
  await database.db.execute(sql`insert into devices (id, name, hardware) values ('dev-1', 'One', 'esp32')`);
  const brokerUrl = `http://127.0.0.1:${await listen(emqx)}`;
  copy = spawnCopy({ workers: 2, databaseUrl: cluster.url, brokerUrl, webhookToken });
  copy.stdout!.on('data', (chunk: Buffer) => hear(chunk.toString()));
  copy.stderr!.on('data', (chunk: Buffer) => hear(chunk.toString()));
  await until('two workers', () => listening.length === 2, patienceMs);
});
afterAll(async () => {
  copy?.kill('SIGKILL');
  emqx.close();
  emqx.closeAllConnections();
  await database?.close();
  await cluster?.remove();
});

function hear(text: string): void {
  const lines = (log + text).split('\n');
  log = lines.pop()!;
  for (const line of lines)
    if (line.includes('"worker listens"')) listening.push(JSON.parse(line) as Listening);
}

/** On a connection of its own, so that whichever worker has the next turn takes it. */
async function call(method: string, path: string, body?: string): Promise<{ status: number; text: string }> {
  const { internalPort: port } = listening[0]!;
  const headers = { authorization: `Bearer ${webhookToken}`, 'content-type': 'application/json' };
  const sent = request({ host: '127.0.0.1', port, method, path, headers, agent: false });
  // A connection that is on its way to a worker when that is killed stays open, and nobody hears it.
  sent.setTimeout(10_000, () => sent.destroy(new Error('no answer')));
  sent.end(body);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of answer) text += chunk;
  return { status: answer.statusCode!, text };
}

/** A critical message, again until it is committed, as EMQX and then the device say it. */
async function say(): Promise<void> {
  const id = randomUUID();
  const acked = { deployment: randomUUID(), attempt: 1, cancelled: true };
  const event = {
    ...{ event: 'message', clientid: 'dev-1', topic: 'devices/dev-1/firmware/download/cancel/ack' },
    ...{ cert: 'CN=dev-1', received_at: Date.now() },
    payload: JSON.stringify({ id, at: null, seq: [1, 1], ...acked }),
  };
  const row = JSON.stringify(event);
  await until('a commit', async () => {
    const answer = await call('POST', '/emqx/events', row).catch(() => null);
    return answer?.status === 204;
  });
}

const sayAll = (count: number) => Promise.all(Array.from({ length: count }, say));

async function counted(): Promise<number> {
  const { text } = await call('GET', '/metrics');
  return Number(/^flota_ingest_events_total\{kind="message",outcome="handled"\} (\d+)$/m.exec(text)![1]);
}

async function remembered(): Promise<number> {
  const [row] = await query<{ n: number }>(
    database.db,
    sql`select count(*)::int as n from received_messages where device_id = 'dev-1'`,
  );
  return row!.n;
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test('workers share the ports, and whichever is asked for metrics tells those of all', async () => {
  const [one, other] = listening as [Listening, Listening];
  expect(one.worker).not.toBe(other.worker);
  expect([other.url, other.internalPort]).toEqual([one.url, one.internalPort]);
  await sayAll(20);
  // Each connection goes to the next worker: two in a row are asked of both.
  expect([await counted(), await counted()]).toEqual([20, 20]);
  const rss = async () =>
    Number(/^process_resident_memory_bytes (\d+)/m.exec((await call('GET', '/metrics')).text)![1]);
  expect(await rss()).toBeGreaterThan(2 * 40_000_000);
});

test('a worker that is killed loses nothing, is replaced, and what it counted stays counted', async () => {
  const before = await counted();
  const killed = listening[0]!.worker;
  const saying = sayAll(40);
  process.kill(killed, 'SIGKILL');
  await saying;
  await until('a successor', () => listening.length === 3, patienceMs);
  expect(await remembered()).toBe(60);
  const after = await counted();
  expect(after).toBeGreaterThanOrEqual(before);
  await sayAll(6);
  expect(await counted()).toBe(after + 6);
  expect((await fetch(`${listening[2]!.url}/healthz`)).status).toBe(200);
});

test('a hang-up replaces them one by one while events go on being committed', async () => {
  const old = listening.slice(1).map(({ worker }) => worker);
  copy.kill('SIGHUP');
  while (listening.length < 5 || old.some(isAlive)) await say();
  await until('an end', () => !old.some(isAlive), patienceMs);
  const fresh = listening.slice(3).map(({ worker }) => worker);
  expect(fresh).toHaveLength(2);
  expect(fresh.every(isAlive)).toBe(true);
  const said = (await remembered()) + 4;
  await sayAll(4);
  expect(await remembered()).toBe(said);
});

test('a termination ends all of them, and then the primary, with status 0', async () => {
  const ended = once(copy, 'exit');
  copy.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
  expect(listening.some(({ worker }) => isAlive(worker))).toBe(false);
});
