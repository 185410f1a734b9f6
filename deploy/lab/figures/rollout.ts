/** Deployments at scale: 100,000 targets made and all of them dispatched, by one copy of the webhook on a real PostgreSQL. */
import { randomUUID } from 'node:crypto';
import postgres from 'postgres';
import { connect } from '#webhook/db/connect.ts';
import { type Figures, watchProcessor } from './figures.ts';
import {
  createDatabase,
  deafBroker,
  fillDevices,
  firmware,
  startCopy,
  tell,
  withPostgresql,
} from './webhook-copy.ts';

const small = 10_000;
const large = 100_000;
const batch = 1_000;
const memoryAimMb = 300;
/** About what EMQX takes on a machine of its own: so much a call, and so much a message, in which the next are got ready. The baseline is one that takes none. */
const callMs = 20;
const messageMs = 0.1;

export async function measureRollout(): Promise<Figures> {
  return withPostgresql(async (server) => {
    tell(`${large} targets in plain SQL`);
    const plain = await measurePlainSql(server);
    const few = await measureDeployment(server, small);
    const many = await measureDeployment(server, large);
    tell(`${small} targets through a broker that takes its time`);
    const behind = await measureDeployment(server, small, async (messages) => {
      await new Promise((resolve) => setTimeout(resolve, callMs + messages * messageMs));
    });
    const figure = (value: number, unit: string, baseline: number, ratio: number, aim: number | null) => ({
      value: Math.round(value),
      unit,
      baseline: Math.round(baseline),
      ratio: Number(ratio.toFixed(3)),
      aim,
    });
    const [speed, peak] = [many.targetsPerSecond, many.peakMb];
    return {
      'rollout.dispatch': {
        ...figure(
          speed,
          'targets/s; baseline: the same rows in plain SQL, without a webhook',
          plain,
          speed / plain,
          null,
        ),
        processorUs: many.processorUs,
      },
      'rollout.dispatch_at_scale': figure(
        speed,
        'targets/s',
        few.targetsPerSecond,
        speed / few.targetsPerSecond,
        0.9,
      ),
      'rollout.dispatch_behind_broker': figure(
        behind.targetsPerSecond,
        `targets/s through a double of the broker that takes ${callMs} ms a call and ${messageMs} ms a message`,
        few.targetsPerSecond,
        behind.targetsPerSecond / few.targetsPerSecond,
        0.8,
      ),
      'rollout.peak_memory': figure(peak, 'MB', memoryAimMb, memoryAimMb / peak, 1),
      'rollout.memory_growth': figure(peak, 'MB', few.peakMb, few.peakMb / peak, 0.8),
    };
  });
}

/** From the request to the last command handed to the broker (a double that takes everything), presigned URLs included. */
export async function measureDeployment(
  server: string,
  devices: number,
  take: (messages: number) => Promise<void> = async () => {},
): Promise<{ targetsPerSecond: number; peakMb: number; processorUs: number }> {
  const url = await createDatabase(server);
  let sent = 0;
  let allSent = () => {};
  const finished = new Promise<void>((resolve) => {
    allSent = resolve;
  });
  const broker = deafBroker(async (messages) => {
    await take(messages);
    sent += messages;
    if (sent % 10_000 === 0) tell(`${sent} of ${devices} targets dispatched`);
    if (sent >= devices) allSent();
  });
  const copy = await startCopy(url, broker);
  const { sql } = copy;
  try {
    const region = await fillDevices(sql, devices);
    const memory = watchMemory();
    const began = performance.now();
    const processor = watchProcessor();
    // Nobody answers here; without the policy the first would time out before the last is sent.
    const policy = { ackTimeoutMs: 86_400_000 };
    await copy.api('POST', '/api/deployments', { firmwareId: firmware.id, regions: [region], policy });
    await finished;
    const seconds = (performance.now() - began) / 1000;
    const peakMb = memory.stop();
    const processorUs = Math.round(processor.us() / devices);
    const [row] = await sql`select count(*)::int as n from targets where state = 'sent' and attempt = 1`;
    if (row!.n !== devices || sent !== devices)
      throw new Error(`${row!.n} targets and ${sent} commands sent`);
    return { targetsPerSecond: devices / seconds, peakMb, processorUs };
  } finally {
    await copy.close();
  }
}

/** The least that the same rows cost: made, updated, queued and taken from the queue again, a thousand at a time. */
async function measurePlainSql(server: string): Promise<number> {
  const url = await createDatabase(server);
  await (await connect({ url })).close();
  const sql = postgres(url, { max: 1 });
  try {
    await fillDevices(sql, large);
    const id = randomUUID();
    const began = performance.now();
    await sql`
      insert into deployments (id, firmware_id, state, selection, policy, memory, created_by)
      values (${id}, ${firmware.id}, 'paused', '{}', '{}', '{}', 'bench')`;
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

export function watchMemory(): { stop(): number } {
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
