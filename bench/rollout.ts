/** Deployments at scale: 100,000 targets made and all of them dispatched, by one copy of the webhook on a real PostgreSQL. */
import { randomUUID } from 'node:crypto';
import postgres from 'postgres';
import type { EmqxApi } from '#emqx/api.ts';
import { connect } from '#webhook/db/connect.ts';
import { createObjectStore } from '#webhook/firmware/objects.ts';
import { startWebhook } from '#webhook/server.ts';
import startPostgresql from '../.ci/postgresql.ts';

interface Figure {
  value: number;
  unit: string;
  baseline: number;
  /** More is better. */
  ratio: number;
  aim: number | null;
}

const small = 10_000;
const large = 100_000;
const batch = 1_000;
const memoryAimMb = 300;

export async function measureRollout(): Promise<Record<string, Figure>> {
  const stop = await startPostgresql();
  try {
    const plain = await measurePlainSql();
    const few = await measureDeployment(small);
    const many = await measureDeployment(large);
    return {
      'rollout.dispatch': {
        value: Math.round(many.targetsPerSecond),
        unit: 'targets/s',
        baseline: Math.round(plain),
        ratio: many.targetsPerSecond / plain,
        aim: null,
      },
      'rollout.dispatch_at_scale': {
        value: Math.round(many.targetsPerSecond),
        unit: 'targets/s',
        baseline: Math.round(few.targetsPerSecond),
        ratio: many.targetsPerSecond / few.targetsPerSecond,
        aim: null,
      },
      'rollout.peak_memory': {
        value: Math.round(many.peakMb),
        unit: 'MB',
        baseline: memoryAimMb,
        ratio: memoryAimMb / many.peakMb,
        aim: 1,
      },
      'rollout.memory_growth': {
        value: Math.round(many.peakMb),
        unit: 'MB',
        baseline: Math.round(few.peakMb),
        ratio: few.peakMb / many.peakMb,
        aim: 0.8,
      },
    };
  } finally {
    stop();
  }
}

const server = () => process.env.FLOTA_TEST_POSTGRESQL!;

async function createDatabase(): Promise<string> {
  const name = `bench_${randomUUID().replaceAll('-', '')}`;
  const client = postgres(server(), { max: 1, onnotice: () => {} });
  await client.unsafe(`create database ${name}`);
  await client.end();
  const url = new URL(server());
  url.pathname = `/${name}`;
  return url.href;
}

const firmwareId = randomUUID();

/** Devices that can be reached, in one region, and a signed firmware for them. */
async function fill(sql: postgres.Sql, devices: number): Promise<string> {
  const region = randomUUID();
  await sql`insert into regions (id, name) values (${region}, 'everywhere')`;
  await sql`
    insert into devices (id, name, region_id, hardware, online, reachable)
    select 'dev-' || n, 'Device ' || n, ${region}, 'esp32-s3', true, true from generate_series(1, ${devices}::int) n`;
  await sql`
    insert into firmwares (id, name, version, file_name, author, hardware, component, security_version, release_note,
      s3_path, size_bytes, sha256, manifest)
    values (${firmwareId}, 'bench', '1.0.0', 'firmware.bin', 'bench', 'esp32-s3', 'main', 0, '',
      ${`1.0.0/${firmwareId}/firmware.bin`}, 1048576, ${'a'.repeat(64)}, ${'m'.repeat(500)})`;
  await sql`analyze`;
  return region;
}

/** From the request to the last command handed to the broker (a double that takes everything), presigned URLs included. */
async function measureDeployment(devices: number): Promise<{ targetsPerSecond: number; peakMb: number }> {
  const url = await createDatabase();
  const database = await connect({ url });
  const sql = postgres(url, { max: 1 });
  let sent = 0;
  let allSent = () => {};
  const finished = new Promise<void>((resolve) => {
    allSent = resolve;
  });
  const broker: EmqxApi = {
    publishBulk: async (messages) => {
      sent += messages.length;
      if (sent >= devices) allSent();
      return messages.map(() => ({ kind: 'routed' as const }));
    },
    listClients: async () => [],
    kick: async () => false,
    ban: async () => {},
    unban: async () => {},
    status: async () => ({ version: '5.8.9', running: true }),
    close() {},
  };
  const objects = createObjectStore({
    bucket: 'bench',
    region: 'us-east-1',
    endpoint: 'https://store.test',
    credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
  } as never);
  const apiToken = randomUUID();
  const copy = await startWebhook(
    {
      database,
      objects,
      broker,
      authority: {} as never,
      signer: null,
      trustedKeys: { keys: [] },
      log: (level, message, fields) => {
        if (level !== 'info') console.error(message, fields);
      },
      webhookToken: randomUUID(),
      apiToken,
      publicUrl: null,
      consoleDir: null,
    },
    { host: '127.0.0.1', port: 0, internalPort: 0, admin: null },
  );
  try {
    const region = await fill(sql, devices);
    const memory = watchMemory();
    const began = performance.now();
    const response = await fetch(`http://127.0.0.1:${copy.port}/api/deployments`, {
      method: 'POST',
      headers: { authorization: `Bearer ${apiToken}`, 'content-type': 'application/json' },
      // Nobody answers here; without this the first would time out before the last is sent.
      body: JSON.stringify({ firmwareId, regions: [region], policy: { ackTimeoutMs: 86_400_000 } }),
    });
    if (response.status !== 201) throw new Error(`the deployment was refused: ${await response.text()}`);
    await finished;
    const seconds = (performance.now() - began) / 1000;
    const peakMb = memory.stop();
    const [row] = await sql`select count(*)::int as n from targets where state = 'sent' and attempt = 1`;
    if (row!.n !== devices || sent !== devices)
      throw new Error(`${row!.n} targets and ${sent} commands sent`);
    return { targetsPerSecond: devices / seconds, peakMb };
  } finally {
    await copy.close();
    await database.close();
    await sql.end();
  }
}

/** The least that the same rows cost: made, updated, queued and taken from the queue again, a thousand at a time. */
async function measurePlainSql(): Promise<number> {
  const url = await createDatabase();
  await (await connect({ url })).close();
  const sql = postgres(url, { max: 1 });
  try {
    await fill(sql, large);
    const id = randomUUID();
    const began = performance.now();
    await sql`
      insert into deployments (id, firmware_id, state, selection, policy, created_by)
      values (${id}, ${firmwareId}, 'paused', '{}', '{}', 'bench')`;
    await sql`
      insert into targets (deployment_id, device_id, component, state, total_bytes)
      select ${id}, id, 'main', 'pending', 1048576 from devices`;
    for (let done = 0; done < large; done += batch) {
      await sql.begin(async (tx) => {
        await tx`
          with started as (
            update targets set state = 'sent', attempt = 1, deadline_at = now() + interval '1 day'
            where (deployment_id, device_id) in (
              select deployment_id, device_id from targets where deployment_id = ${id} and state = 'pending'
              order by wave, device_id limit ${batch})
            returning deployment_id, device_id),
          told as (
            insert into target_events (deployment_id, device_id, at, event, state)
            select deployment_id, device_id, now(), 'dispatch', 'sent' from started)
          insert into outbox (device_id, topic, deployment_id, attempt, send_at)
          select device_id, 'firmware/download/request', deployment_id, 1, now() from started`;
      });
      await sql`delete from outbox where id in (select id from outbox where send_at <= now() limit ${batch})`;
    }
    return large / ((performance.now() - began) / 1000);
  } finally {
    await sql.end();
  }
}

function watchMemory(): { stop(): number } {
  let peak = process.memoryUsage.rss();
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 20);
  return {
    stop() {
      clearInterval(timer);
      return Math.max(peak, process.memoryUsage.rss()) / 2 ** 20;
    },
  };
}
