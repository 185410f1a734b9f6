import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { loadRules } from '../rules.ts';
import type { BrokerOptions } from './broker.ts';
import { type Sink, startSink, startTestBed, type TestBed } from './test-broker.ts';

/** The repository's rules and actions, with rounds of 50 ms instead of 5 s. */
async function start(
  sink: Sink,
  changes: object = {},
  options: Partial<BrokerOptions> = {},
): Promise<TestBed> {
  const config = loadRules({ webhookUrl: sink.url, webhookToken: 't' });
  for (const action of Object.values(config.actions.http))
    action.resource_opts = { ...(action.resource_opts as object), resume_interval: '50ms', ...changes };
  bed = await startTestBed(config, options);
  return bed;
}

async function publishAll(bed: TestBed, topic: string, devices: number, each: number): Promise<string[]> {
  const sent: string[] = [];
  for (let d = 0; d < devices; d++) {
    const client = await bed.online(await bed.ca.leaf(`dev-${d}`));
    const payloads = Array.from({ length: each }, (_, i) => `{"id":"${d}-${i}"}`);
    await Promise.all(payloads.map((payload) => client.publishAsync(topic, payload, { qos: 1 })));
    sent.push(...payloads);
  }
  return sent.sort();
}

const messages = (sink: Sink) => sink.rows().filter((row) => row.event === 'message');
const payloads = (sink: Sink) => [...new Set(messages(sink).map((row) => String(row.payload)))].sort();

const waiting = (bed: TestBed) => {
  const { inflight, queuing } = bed.broker.rules.actionMetrics('critical')!;
  return inflight + queuing;
};

let bed: TestBed;
let sink: Sink;
afterEach(async () => {
  await bed.close();
  await sink.close();
});

describe('critical messages arrive, each at least once,', () => {
  test('after the webhook was not there at all', async () => {
    sink = await startSink();
    const port = Number(new URL(sink.url).port);
    await sink.close();
    const bed = await start(sink);
    const sent = await publishAll(bed, 'firmware/download/result', 4, 60);
    await until('all rows wait', () => waiting(bed) >= sent.length);
    sink = await startSink(port);
    await until('all rows', () => payloads(sink).length === sent.length);
    expect(payloads(sink)).toEqual(sent);
    expect(bed.broker.rules.actionMetrics('critical')).toMatchObject({
      dropped: 0,
      failed: 0,
      late_reply: 0,
    });
  });

  test('after it answered 503 and 429 and broke connections', async () => {
    sink = await startSink();
    let calls = 0;
    sink.respond = (request, response) => {
      if (++calls % 7 === 0) request.socket.destroy();
      else response.writeHead(calls % 2 ? 503 : 429).end();
    };
    const bed = await start(sink);
    const sent = await publishAll(bed, 'status/health', 4, 60);
    await until('all rows wait', () => waiting(bed) >= sent.length);
    sink.requests.length = 0;
    sink.respond = (_request, response) => response.writeHead(204).end();
    await until('all are done', () => waiting(bed) === 0);
    await until('all rows', () => payloads(sink).length === sent.length);
    expect(bed.broker.rules.actionMetrics('critical')).toMatchObject({ dropped: 0, failed: 0 });
  });

  test('after it hung: a request without an answer is sent again', async () => {
    sink = await startSink();
    let hung = 0;
    sink.respond = (_request, response) => {
      if (++hung > 20) response.writeHead(204).end();
    };
    const bed = await start(sink, {}, { actionHangMs: 150 });
    const sent = await publishAll(bed, 'control/response', 1, 60);
    await until('all rows', () => payloads(sink).length === sent.length);
    await until('all are done', () => waiting(bed) === 0);
    expect(bed.broker.rules.actionMetrics('critical')).toMatchObject({ dropped: 0, failed: 0 });
  });
});

test('500 loses the row, as EMQX does, and says so: that is why devices send again until they are acked', async () => {
  sink = await startSink();
  sink.respond = (_request, response) => response.writeHead(500).end();
  const bed = await start(sink);
  await publishAll(bed, 'firmware/download/result', 1, 10);
  await until('the rows', () => messages(sink).length === 10);
  await until('the counts', () => bed.broker.rules.ruleMetrics('firmware')!['actions.failed'] === 10);
  await delay(120);
  expect(messages(sink)).toHaveLength(10);
});

test('telemetry for a webhook that hangs is bounded and does not hold up what is critical', async () => {
  sink = await startSink();
  sink.respond = (_request, response, body) => {
    if (JSON.parse(body).topic?.endsWith('/data/sensors') !== true) response.writeHead(204).end();
  };
  const bed = await start(sink, { max_buffer_bytes: '32KB', worker_pool_size: 1 });
  await publishAll(bed, 'data/sensors', 1, 1000);
  await until('all rows', () => bed.broker.rules.actionMetrics('telemetry')!.matched === 1000);
  const counts = bed.broker.rules.actionMetrics('telemetry')!;
  expect(counts).toMatchObject({ matched: 1000, inflight: 100 });
  expect(counts.queuing_bytes).toBeLessThanOrEqual(32 * 1024);
  expect(counts['dropped.queue_full']).toBe(900 - counts.queuing);
  const sent = await publishAll(bed, 'firmware/download/result', 1, 20);
  await until('the critical rows', () =>
    sent.every((payload) =>
      messages(sink).some((row) => row.payload === payload && String(row.topic).endsWith('/result')),
    ),
  );
});

test('closing does not wait for a webhook that hangs', async () => {
  sink = await startSink();
  sink.respond = () => {};
  const bed = await start(sink);
  await publishAll(bed, 'log', 1, 50);
  const begun = Date.now();
  await bed.close();
  // A request is given up after twenty seconds.
  expect(Date.now() - begun).toBeLessThan(10_000);
});
