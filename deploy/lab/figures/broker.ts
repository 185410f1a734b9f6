/**
 * The webhook behind a broker, the one that `BROKER_*` names as for `npm run test:emqx` or else the stand-in: rows committed a second
 * against the same broker posting to a webhook that only says 204, and targets dispatched a second against bare calls of `publish/bulk`.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { loadavg } from 'node:os';
import { openAuthority } from '#ca/authority.ts';
import { issueKeyPair } from '#ca/key-pair.ts';
import { createEmqxApi, type PublishMessage } from '#emqx/api.ts';
import { loadRules } from '#emqx/rules.ts';
import { acl } from '#emqx/standin/test-broker.ts';
import { createTestCa } from '#emqx/standin/test-certificates.ts';
import { readEmqxUnderTest } from '../broker/under-test.ts';
import { forkGuarded } from '../primitives/guard.ts';
import { createCluster } from '../primitives/postgresql.ts';
import { until } from '../primitives/until.ts';
import { callEmqx, configureEmqx, type EmqxAccess, readActionMetrics } from '../system/broker.ts';
import { openBarePublisher } from './bare-publish.ts';
import type { Order, Report } from './broker-load.ts';
import { byRound, type Figure, type Figures, median, processorMs, watchProcessor } from './figures.ts';
import { createDatabase, fillDevices, firmware, startCopy, tell, webhookToken } from './webhook-copy.ts';

const devices = 2_000;
const rows = 20_000;
const rounds = 3;
const limitMs = 600_000;

interface Bench {
  api: EmqxAccess;
  databaseServer: string;
  devices: ChildProcess;
  sinkUrl: string;
  /** For their processor time; the webhook is this process. */
  pids: { broker: number | undefined; PostgreSQL: number | undefined };
  rowsSent: number;
}

export async function measureBroker(): Promise<Figures> {
  const closers: (() => unknown)[] = [];
  const fork = (role: string) => {
    const child = forkGuarded(new URL('./broker-load.ts', import.meta.url), { args: [`--load-${role}`] });
    closers.push(() => child.kill());
    return child;
  };
  try {
    const cluster = await createCluster({ durable: true });
    closers.push(() => cluster.remove());
    const broker = process.env.BROKER_API_URL ? await openEmqx(closers) : await openStandin(fork('broker'));
    const [{ port }] = (await once(fork('sink'), 'message')) as [{ port: number }];
    const bench: Bench = {
      ...{ api: broker.api, databaseServer: cluster.url, devices: fork('devices'), rowsSent: 0 },
      sinkUrl: `http://127.0.0.1:${port}`,
      pids: { broker: broker.pid, PostgreSQL: cluster.pid() },
    };
    // What devices say while they come is no row of ours.
    await turnTo(bench.api, bench.sinkUrl);
    await order(bench, {
      connect: { url: broker.api.mqttUrl, ca: broker.trust, identities: broker.identities },
    });
    tell(`${devices} devices are connected to ${broker.name}`);
    return {
      'broker.rows': await measureRows(bench, broker.name),
      'broker.dispatch': await measureDispatch(bench, broker.name),
    };
  } finally {
    for (const end of closers.reverse()) await end();
  }
}

const names = Array.from({ length: devices }, (_, i) => `dev-${i + 1}`);

/** As for `npm run test:emqx`; `BROKER_PID` says whose processor time is the broker's. Its rules are ours from now on. */
async function openEmqx(closers: (() => unknown)[]) {
  const { system } = readEmqxUnderTest({ ...process.env, FLOTA_TEST_EMQX: 'yes' })!;
  const { CA_CRL_URL: crlUrl, BROKER_PID: pid } = process.env;
  const ca = await openAuthority({ ...system.authority!, ...(crlUrl && { crlUrl }) });
  if (crlUrl) {
    // Where certificates say that it is, or EMQX lets nobody in.
    const [crl] = await ca.crls();
    const server = http.createServer((_request, response) => response.end(crl!.pem));
    server.listen(Number(new URL(crlUrl).port), '127.0.0.1');
    closers.push(() => server.close());
  }
  const { root, issuing } = await ca.trust();
  const identities: { key: string; cert: string }[] = [];
  for (const commonName of names) {
    const { key, certificate, chain } = await issueKeyPair(ca, { profile: 'device', commonName });
    identities.push({ key, cert: certificate + chain });
  }
  const api = system.emqx!;
  await configureEmqx(api, patientRules());
  return { name: 'EMQX', api, trust: root + issuing, identities, pid: pid ? Number(pid) : undefined };
}

async function openStandin(child: ChildProcess) {
  const ca = await createTestCa('Bench');
  const server = await ca.leaf('broker', ['localhost']);
  const identities = await Promise.all(names.map((name) => ca.leaf(name)));
  child.send({
    ...{ host: '127.0.0.1', mqttPort: 0, apiPort: 0, tls: { ...server, ca: ca.ca }, acl },
    ...{ apiKey: 'bench', apiSecret: 'bench' },
    config: patientRules(),
  });
  const [{ mqttPort, apiPort }] = (await once(child, 'message')) as [Record<string, number>];
  const [url, mqttUrl] = [`http://127.0.0.1:${apiPort}`, `mqtts://localhost:${mqttPort}`];
  const api = { key: 'bench', secret: 'bench', url, mqttUrl };
  return { name: 'the stand-in', api, trust: ca.ca, identities, pid: child.pid };
}

/** Ours, but that telemetry may wait for as long as it takes: it is counted how fast it goes, and nothing may be thrown away. */
function patientRules() {
  const rules = loadRules({ webhookUrl: 'http://127.0.0.1:9', webhookToken });
  const patient = { request_ttl: '30m', max_buffer_bytes: '64MB' };
  Object.assign(rules.actions.http.telemetry!.resource_opts as object, patient);
  return rules;
}

/** Rows go there from now on. What an action had queued is lost, so nothing may be. */
async function turnTo(api: EmqxAccess, webhookUrl: string): Promise<void> {
  const { webhook } = loadRules({ webhookUrl, webhookToken }).connectors.http;
  const answer = await callEmqx(api, 'PUT', '/connectors/http:webhook', JSON.stringify(webhook));
  if (answer.status !== 200) throw new Error(`the connector: ${answer.status} ${await answer.text()}`);
}

async function order({ devices }: Pick<Bench, 'devices'>, what: Order): Promise<void> {
  devices.send(what);
  const [report] = (await once(devices, 'message')) as [Report];
  if ('error' in report) throw new Error(report.error);
}

async function measureRows(bench: Bench, name: string): Promise<Figure> {
  const url = await createDatabase(bench.databaseServer);
  // Nobody is told anything: a row of telemetry has no ack.
  const broker = createEmqxApi(bench.api);
  const copy = await startCopy(url, { ...broker, async *listClients() {} });
  const found = { webhook: [] as number[], sink: [] as number[] };
  const processor: number[] = [];
  try {
    await fillDevices(copy.sql, devices);
    for (let round = 0; round <= rounds; round++) {
      // The first warms both up.
      const count = round === 0 ? rows / 4 : rows;
      const committed = await post(bench, `http://127.0.0.1:${copy.internalPort}`, count);
      const bare = await post(bench, bench.sinkUrl, count);
      tell(
        `round ${round} of ${rounds}, load ${loadavg()[0]!.toFixed(1)}: ${committed.told}; bare ${bare.told}`,
      );
      if (round === 0) continue;
      found.webhook.push(committed.perSecond);
      found.sink.push(bare.perSecond);
      processor.push(committed.webhookUs);
    }
    const [stored] = await copy.sql`select count(*)::int as n from dead_letters`;
    if (stored!.n > 0) throw new Error(`${stored!.n} rows are dead letters`);
  } finally {
    await copy.close();
    broker.close();
  }
  return {
    ...byRound(found.webhook, found.sink),
    unit: `rows committed/s behind ${name}; baseline: it posts to a webhook that only says 204`,
    ...{ aim: 0.6, processorUs: median(processor) },
  };
}

/** Rows of that many messages a second, from the first that is published to the last that is answered 204. */
async function post(bench: Bench, webhookUrl: string, count: number) {
  await turnTo(bench.api, webhookUrl);
  const read = () => readActionMetrics(bench.api, 'telemetry');
  const before = await read();
  const since = (now: Record<string, number>, name: string) => now[name]! - before[name]!;
  const isAnswered = async () => {
    const now = await read();
    const lost = since(now, 'failed') + since(now, 'dropped') + since(now, 'late_reply');
    if (lost > 0) throw new Error(`${lost} rows were lost: ${JSON.stringify(now)}`);
    return since(now, 'success') >= count;
  };
  const processor = watch(bench);
  const began = performance.now();
  const published = order(bench, { publish: { messages: count, first: bench.rowsSent } });
  bench.rowsSent += count;
  await until('every row is answered', isAnswered, limitMs);
  const perSecond = (count * 1_000) / (performance.now() - began);
  await published;
  return { perSecond, ...processor.each(count, 'row', perSecond) };
}

async function measureDispatch(bench: Bench, name: string): Promise<Figure> {
  await turnTo(bench.api, bench.sinkUrl);
  const found = { webhook: [] as number[], bare: [] as number[] };
  const processor: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const { batches, ...dispatched } = await dispatch(bench);
    const bare = await publishBare(bench.api, batches);
    const sizes = batches.map(({ length }) => length).join(', ');
    tell(
      `round ${round} of ${rounds}, load ${loadavg()[0]!.toFixed(1)}: ${dispatched.told}, calls of ${sizes}; bare ${Math.round(bare)} targets/s`,
    );
    if (round === 0) continue;
    found.webhook.push(dispatched.perSecond);
    found.bare.push(bare);
    processor.push(dispatched.webhookUs);
  }
  return {
    ...byRound(found.webhook, found.bare),
    unit: `targets dispatched/s behind ${name}; baseline: the same calls of publish/bulk, ready made`,
    ...{ aim: 0.8, processorUs: median(processor) },
  };
}

/** From the order to the answer to the last command, in a database of its own, where no target is underway. */
async function dispatch(bench: Bench) {
  const url = await createDatabase(bench.databaseServer);
  const broker = createEmqxApi(bench.api);
  const batches: PublishMessage[][] = [];
  let routed = 0;
  const copy = await startCopy(url, {
    ...broker,
    async *listClients() {},
    async publishBulk(messages) {
      const outcomes = await broker.publishBulk(messages);
      batches.push(messages);
      routed += outcomes.filter(({ kind }) => kind === 'routed').length;
      return outcomes;
    },
  });
  try {
    const region = await fillDevices(copy.sql, devices);
    const processor = watch(bench);
    const began = performance.now();
    // Nobody answers here; without the policy the first would time out before the last is sent.
    const policy = { ackTimeoutMs: 86_400_000 };
    await copy.api('POST', '/api/deployments', { firmwareId: firmware.id, regions: [region], policy });
    await until('every target is dispatched', () => routed >= devices, limitMs);
    const perSecond = (devices * 1_000) / (performance.now() - began);
    return { perSecond, batches, ...processor.each(devices, 'target', perSecond) };
  } finally {
    await copy.close();
    broker.close();
  }
}

/** The same messages in the same calls, one after the other, with nothing to do between them. */
async function publishBare(api: EmqxAccess, batches: PublishMessage[][]): Promise<number> {
  const bare = openBarePublisher(api, batches);
  const began = performance.now();
  await bare.publish();
  const perSecond = (batches.flat().length * 1_000) / (performance.now() - began);
  bare.close();
  return perSecond;
}

/** Processor time from now on: of the webhook, and in words of all three. */
function watch({ pids }: Bench) {
  const own = watchProcessor();
  const read = () =>
    Object.entries(pids).flatMap(([who, pid]): [string, number][] =>
      pid === undefined ? [] : [[who, processorMs([pid])]],
    );
  const before = new Map(read());
  return {
    each(units: number, unit: string, perSecond: number) {
      const webhookUs = Math.round(own.us() / units);
      const others = read().map(
        ([who, ms]) => `${who} ${Math.round(((ms - before.get(who)!) * 1_000) / units)}`,
      );
      const spent = [`webhook ${webhookUs}`, ...others].join(', ');
      return { webhookUs, told: `${Math.round(perSecond)} ${unit}s/s (µs of processor time each: ${spent})` };
    },
  };
}
