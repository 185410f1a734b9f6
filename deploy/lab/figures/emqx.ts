/** The broker's part: rules a second and memory a device in the stand-in, targets dispatched a second through the API client. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import tls from 'node:tls';
import mqtt from 'mqtt';
import { createEmqxApi, type PublishMessage } from '#emqx/api.ts';
import { encodeJson } from '#emqx/json.ts';
import { mountedTopic, requestTopic } from '#emqx/protocol.ts';
import { loadRules } from '#emqx/rules.ts';
import { parseSql } from '#emqx/sql.ts';
import { startBroker } from '#emqx/standin/broker.ts';
import { evaluate, selectsFrom } from '#emqx/standin/evaluate.ts';
import { messagePublished } from '#emqx/standin/event-columns.ts';
import type { Session } from '#emqx/standin/sessions.ts';
import { acl } from '#emqx/standin/test-broker.ts';
import { createTestCa, type TestCa, type TestPair } from '#emqx/standin/test-certificates.ts';
import { forkGuarded } from '../primitives/guard.ts';
import { listen } from '../primitives/listen.ts';
import { openBarePublisher } from './bare-publish.ts';
import { type Figure, median } from './figures.ts';

const devices = 300;
const perCall = 1_000;
const callsPerRound = 4;
const rounds = 7;
const apiKey = 'bench';
const apiSecret = 'bench';

/** Broker, devices and client are processes of their own, as in production. */
export async function measureEmqx(): Promise<Record<string, Figure>> {
  const ca = await createTestCa('Bench');
  const pairs = await Promise.all(Array.from({ length: devices }, (_, i) => ca.leaf(`dev-${i}`)));
  const server = await ca.leaf('broker', ['localhost']);
  const bare = await memoryPerDevice('tls', ca, server, pairs);
  const whole = await memoryPerDevice('broker', ca, server, pairs, measureDispatch);
  return {
    'emqx.rules': measureRules(),
    'emqx.memory': {
      ...{ value: Math.round(whole.kilobytes), unit: 'kB per connected device in the stand-in' },
      ...{ baseline: Math.round(bare.kilobytes), ratio: round(bare.kilobytes / whole.kilobytes), aim: null },
    },
    'emqx.dispatch': whole.during!,
  };
}

/** One progress message through its rule and into the body, against the same row written by hand. */
function measureRules(): Figure {
  const { rule_engine } = loadRules({ webhookUrl: 'http://127.0.0.1', webhookToken: '' });
  const statements = Object.values(rule_engine.rules).map(({ sql }) => parseSql(sql));
  const topic = 'devices/dev-1/firmware/download/progress';
  const body = { id: 'p-1', at: null, deployment: 'd', attempt: 1, stage: 'downloading', receivedBytes: 512 };
  const payload = Buffer.from(JSON.stringify(body));
  const attrs = { cert: 'SERIALNUMBER=0A1B,CN=dev-1', cn: 'dev-1' };
  const session = {
    clientid: 'dev-1',
    peer: { host: '10.0.0.7', port: 50_000 },
    attrs,
  } as unknown as Session;
  const message = { topic, payload, qos: 1, retain: false, dup: false };
  let bytes = 0;
  const byRule = () => {
    for (const statement of statements)
      if (selectsFrom(statement, topic))
        bytes += encodeJson(evaluate(statement, messagePublished(message, session))).length;
  };
  const byHand = () => {
    const {
      clientid,
      attrs: { cert },
    } = session;
    const row = {
      event: 'message',
      clientid,
      topic,
      payload: payload.toString('utf8'),
      cert,
      received_at: Date.now(),
    };
    bytes += JSON.stringify(row).length;
  };
  const [rule, hand] = inTurns(
    10,
    () => rate(30_000, byRule),
    () => rate(30_000, byHand),
  );
  if (bytes === 0) throw new Error('no rule took the message');
  return {
    ...{
      value: Math.round(rule),
      unit: 'messages per second through all rules and into a body',
      baseline: Math.round(hand),
    },
    ...{ ratio: round(rule / hand), aim: null },
  };
}

function rate(times: number, work: () => void): number {
  const start = performance.now();
  for (let i = 0; i < times; i++) work();
  return (times * 1_000) / (performance.now() - start);
}

/** The medians, measured in turns, so that a neighbour's load falls on both. */
function inTurns(times: number, one: () => number, other: () => number): [number, number] {
  const found: [number[], number[]] = [[], []];
  for (let i = 0; i < times; i++) {
    found[0].push(one());
    found[1].push(other());
  }
  return [median(found[0]), median(found[1])];
}

/** Through the client as the outbox uses it, against bare calls. */
async function measureDispatch(apiPort: number): Promise<Figure> {
  const url = `http://127.0.0.1:${apiPort}`;
  const api = createEmqxApi({ url, key: apiKey, secret: apiSecret });
  // About the size of a download request: its manifest and a presigned URL.
  const payload = JSON.stringify({ id: 'x'.repeat(36), manifest: 'm'.repeat(500), url: 'u'.repeat(500) });
  const messages = Array.from({ length: perCall * callsPerRound }, (_, i): PublishMessage => {
    return {
      topic: mountedTopic(`dev-${i % devices}`, requestTopic),
      payload,
      qos: 1,
      messageExpirySeconds: 3_600,
    };
  });
  const batches = Array.from({ length: callsPerRound }, (_, i) =>
    messages.slice(i * perCall, (i + 1) * perCall),
  );
  const bare = openBarePublisher({ url, key: apiKey, secret: apiSecret }, batches);
  const client = async () => {
    for (const batch of batches) {
      const outcomes = await api.publishBulk(batch);
      if (outcomes.some(({ kind }) => kind !== 'routed')) throw new Error('a target was not routed');
    }
  };
  const perSecond = async (work: () => Promise<void>) => {
    const start = performance.now();
    await work();
    return (messages.length * 1_000) / (performance.now() - start);
  };
  const found: [number[], number[]] = [[], []];
  await client();
  await bare.publish();
  // In turns, so that a neighbour's load falls on both; the medians are compared.
  for (let i = 0; i < rounds; i++) {
    found[0].push(await perSecond(client));
    found[1].push(await perSecond(bare.publish));
  }
  api.close();
  bare.close();
  const [value, baseline] = [median(found[0]), median(found[1])];
  return {
    ...{ value: Math.round(value), unit: 'targets dispatched per second', baseline: Math.round(baseline) },
    ...{ ratio: round(value / baseline), aim: 0.8 },
  };
}

/** Growth of the server's resident memory by each device; the baseline server speaks TLS and nothing else. */
async function memoryPerDevice(
  kind: 'broker' | 'tls',
  ca: TestCa,
  server: TestPair,
  pairs: TestPair[],
  during?: (apiPort: number) => Promise<Figure>,
): Promise<{ kilobytes: number; during?: Figure }> {
  const broker = child(kind);
  const fleet = child('devices');
  try {
    const { mqttPort, apiPort } = await ask(broker, { server, ca: ca.ca });
    // What the first devices bring with them is no device's own.
    await ask(fleet, { kind, port: mqttPort, ca: ca.ca, pairs: pairs.slice(0, 50) });
    const before = (await ask(broker, 'memory')).bytes!;
    await ask(fleet, { kind, port: mqttPort, ca: ca.ca, pairs: pairs.slice(50) });
    const after = (await ask(broker, 'memory')).bytes!;
    const kilobytes = Math.max(after - before, 1) / (pairs.length - 50) / 1_000;
    return { kilobytes, ...(during ? { during: await during(apiPort!) } : {}) };
  } finally {
    broker.kill();
    fleet.kill();
  }
}

function child(role: string): ChildProcess {
  return forkGuarded(new URL(import.meta.url), { args: [`--bench-${role}`], execArgv: ['--expose-gc'] });
}

async function ask(process: ChildProcess, message: object | string): Promise<Record<string, number>> {
  process.send(message);
  const answer = await Promise.race([
    once(process, 'message').then(([reply]) => reply),
    once(process, 'exit').then(() => null),
  ]);
  if (answer === null) throw new Error('a process of the benchmark has died');
  return answer as Record<string, number>;
}

async function memory() {
  for (let i = 0; i < 4; i++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return { bytes: process.memoryUsage().rss };
}

async function beServer(role: string, { server, ca }: { server: TestPair; ca: string }) {
  if (role === 'broker')
    return startBroker({
      ...{
        host: '127.0.0.1',
        mqttPort: 0,
        apiPort: 0,
        tls: { ...server, ca },
        acl,
        config: {},
        apiKey,
        apiSecret,
      },
    });
  const bare = tls.createServer({ ...server, ca, requestCert: true }, (socket) => {
    socket.on('error', () => {});
    socket.resume();
  });
  return { mqttPort: await listen(bare), apiPort: 0 };
}

async function beDevices({
  kind,
  port,
  ca,
  pairs,
}: {
  kind: string;
  port: number;
  ca: string;
  pairs: TestPair[];
}) {
  for (const { key, cert } of pairs) {
    if (kind === 'tls') {
      const socket = tls.connect({ port, host: '127.0.0.1', servername: 'localhost', key, cert, ca });
      await once(socket, 'secureConnect');
      continue;
    }
    const options = {
      key,
      cert,
      ca,
      servername: 'localhost',
      reconnectPeriod: 0,
      protocolVersion: 4,
      clean: false,
      clientId: 'x',
    } as const;
    const client = await mqtt.connectAsync(`mqtts://127.0.0.1:${port}`, options);
    await client.subscribeAsync([requestTopic, 'firmware/download/cancel', 'ack'], { qos: 1 });
  }
  return { connected: pairs.length };
}

const role =
  process.send && process.argv.find((argument) => argument.startsWith('--bench-'))?.slice('--bench-'.length);
if (role)
  // biome-ignore lint/suspicious/noExplicitAny: each side sends what the other takes
  process.on('message', async (message: any) => {
    const answer =
      message === 'memory'
        ? await memory()
        : role === 'devices'
          ? await beDevices(message)
          : await beServer(role, message);
    const { mqttPort, apiPort, bytes, connected } = answer as Record<string, number>;
    process.send!({ mqttPort, apiPort, bytes, connected });
  });

function round(ratio: number): number {
  return Number(ratio.toFixed(3));
}
