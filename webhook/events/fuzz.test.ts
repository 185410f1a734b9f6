/** Events that nobody would send, at the listener that takes them in: made from a seed, so that what is found can be seen again. */
import { Agent, request } from 'node:http';
import { afterAll, expect, test } from 'vitest';
import { Random } from '#deploy/lab/primitives/random.ts';
import { type Json, webhookToken } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';

const faults: unknown[] = [];
const { webhook } = await startSuite({
  log: (level, ...rest) => void (level === 'error' && faults.push(rest)),
});
const agent = new Agent({ keepAlive: true, maxSockets: 16 });
afterAll(() => agent.destroy());

const device = await webhook.device();
const attempt = { deployment: '11111111-1111-4111-8111-111111111111', attempt: 1 };
const running = device.running('a'.repeat(64));
const good: Json[] = [
  device.row('firmware/download/request/ack', { seq: [1, 1], ...attempt, accepted: true }),
  device.row('firmware/download/progress', {
    ...attempt,
    stage: 'downloading',
    receivedBytes: 1,
    totalBytes: 2,
  }),
  device.row('firmware/download/result', {
    seq: [1, 2],
    ...attempt,
    outcome: 'succeeded',
    running,
    stats: null,
  }),
  device.row('firmware/download/cancel/ack', { seq: [1, 3], ...attempt, cancelled: true }),
  device.row('status/system', { uptimeMs: 1, temperatureC: 20 }),
  device.row('status/network', { rssiDbm: -60, ip: '10.0.0.1' }),
  device.row('status/health', {
    seq: [1, 4],
    state: 'ok',
    running: [running],
    boot: { count: 1, reason: 'update' },
  }),
  device.row('data/sensors', { values: { t: 1 } }),
  device.row('log', { level: 'info', message: 'x' }),
  device.row('control/response', { seq: [1, 5], command: 'c', ok: true, result: { a: [1, 'x', null] } }),
  device.row('cert/renew/request', { csr: 'CSR' }),
  {
    event: 'connected',
    clientid: device.id,
    cert: `SERIALNUMBER=0A,CN=${device.id}`,
    peername: 'x',
    connected_at: 1,
  },
  { event: 'disconnected', clientid: device.id, reason: 'x', connected_at: 1, disconnected_at: 2 },
  {
    event: 'subscribed',
    clientid: device.id,
    topic: `devices/${device.id}/firmware/download/request`,
    cert: '',
  },
];

/** Of every type, and each type's worst. */
const values: Json[] = [
  ...[
    null,
    true,
    false,
    [],
    {},
    '',
    'x',
    '\0',
    '\ud800',
    '\uffff',
    '😀',
    '__proto__',
    "'; drop table devices; --",
  ],
  ...[0, -0, -1, 0.5, 1e308, -1e308, 5e-324, 2 ** 31, 2 ** 53, 2 ** 63, 253402300800000, 8.64e15, 9e15],
  ...['x'.repeat(300), '\\'.repeat(20_000), '€'.repeat(20_000), [[[[[]]]]], [null, null], { a: { b: 1 } }],
  ...['1970-01-01T00:00:00Z', '+275760-09-13T00:00:00Z', '2026-02-30T00:00:00Z', '[1,1]', '{}', 'undefined'],
];

/** Some member, however deep, becomes another value, goes, or comes twice. */
function mutate(random: Random, value: Json): Json {
  if (typeof value !== 'object' || value === null || random.chance(0.15)) return random.pick(values);
  const copy: Json = Array.isArray(value) ? [...value] : { ...value };
  const names = Object.keys(copy);
  const name = names.length > 0 ? random.pick(names) : 'x';
  const fate = random.next();
  if (fate < 0.1) delete copy[name];
  else if (fate < 0.2) copy[String(random.pick(values))] = random.pick(values);
  else copy[name] = mutate(random, copy[name]);
  return copy;
}

function breakBytes(random: Random, bytes: Buffer): Buffer {
  if (bytes.length === 0) return bytes;
  if (random.chance(0.3)) return bytes.subarray(0, random.int(0, bytes.length - 1));
  if (random.chance(0.1)) return Buffer.concat(Array.from({ length: random.int(2, 200) }, () => bytes));
  const broken = Buffer.from(bytes);
  for (let i = random.int(1, 8); i > 0; i--) broken[random.int(0, broken.length - 1)] = random.int(0, 255);
  return broken;
}

function make(seed: number): Buffer {
  const random = new Random(seed);
  let row = structuredClone(random.pick(good));
  if (typeof row.payload === 'string' && random.chance(0.7)) {
    let message = { ...JSON.parse(row.payload), id: `m-${seed}` };
    for (let i = random.int(1, 3); i > 0; i--) message = mutate(random, message);
    row.payload = JSON.stringify(message) ?? '';
    if (random.chance(0.1)) row.payload = breakBytes(random, Buffer.from(row.payload)).toString('latin1');
  } else row = mutate(random, row);
  const bytes = Buffer.from(JSON.stringify(row) ?? '');
  return random.chance(0.2) ? breakBytes(random, bytes) : bytes;
}

function post(body: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const { internalPort: port } = webhook.copy;
    const headers = { authorization: `Bearer ${webhookToken}`, 'content-length': body.length };
    const sent = request({ agent, port, host: '127.0.0.1', path: '/emqx/events', method: 'POST', headers });
    sent.on('response', (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode!));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const events = 800;

test(`${events} events of all kinds, spoilt in every field, are taken, refused for good or put off, and none is a fault`, async () => {
  const statuses = new Map<number, number>();
  const wrong: string[] = [];
  for (let from = 0; from < events; from += 100) {
    const seeds = Array.from({ length: 100 }, (_, i) => from + i);
    const answers = await Promise.all(seeds.map((seed) => post(make(seed))));
    answers.forEach((status, i) => {
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (![202, 204, 400].includes(status))
        wrong.push(`seed ${seeds[i]}: ${status} ${make(seeds[i]!).subarray(0, 300)}`);
    });
  }
  // Nothing here is a fault of the moment, so 503 would mean that a device sends it for ever.
  expect(wrong).toEqual([]);
  expect(faults).toEqual([]);
  // A fuzzer that only makes nonsense tries little.
  expect(statuses.get(204)).toBeGreaterThan(events / 20);
  // As dead letters, and what is above their allowance.
  expect((statuses.get(202) ?? 0) + (statuses.get(400) ?? 0)).toBeGreaterThan(events / 4);
  expect((await device.send('log', { level: 'info', message: 'still here' })).status).toBe(204);
}, 120_000);

test('a body of two megabytes, and one that breaks off, end their own request only', async () => {
  expect([202, 400]).toContain(await post(Buffer.alloc(2 * 1024 * 1024, '[')));
  await new Promise<void>((resolve) => {
    const { internalPort: port } = webhook.copy;
    const headers = { authorization: `Bearer ${webhookToken}`, 'content-length': 1000 };
    const sent = request({ port, host: '127.0.0.1', path: '/emqx/events', method: 'POST', headers });
    sent.on('error', () => resolve());
    sent.write('{"event":', () => sent.destroy());
  });
  expect((await device.send('log', { level: 'info', message: 'still here' })).status).toBe(204);
  expect(faults).toEqual([]);
});
