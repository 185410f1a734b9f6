/** JSON that is made to break whoever reads it: from devices, from the broker's side, and by REST. */
import { randomUUID } from 'node:crypto';
import { eq } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { maxJsonDepth, maxJsonNodes } from '#emqx/protocol.ts';
import { getLatest } from '../telemetry/measurements.ts';
import { deviceLogs } from '../telemetry/table.ts';
import type { Json, TestDevice } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { deadLetters } from './table.ts';

const { database, webhook } = await startSuite();
const { db } = database;

const nested = (levels: number, open = '[', close = ']') => open.repeat(levels) + close.repeat(levels);
const refusal = (answer: Json) => [answer.status, answer.body?.errors?.[0]?.message];
const lettersOf = (device: TestDevice) =>
  db.select().from(deadLetters).where(eq(deadLetters.clientId, device.id));
const latest = async (device: TestDevice): Promise<Json> =>
  (await webhook.api('GET', `/api/devices/${device.id}/status`)).body.latest[0].body;

/** The payload is text, for `JSON.stringify` writes little of what is tried here. */
const sendText = (device: TestDevice, topic: 'control/response' | 'data/sensors' | 'log', payload: string) =>
  webhook.event({ ...device.row(topic, {}), payload });
const respond = async (device: TestDevice, result: string) => {
  const { body } = await webhook.api('POST', `/api/devices/${device.id}/commands`, { command: 'read' });
  const id = randomUUID();
  const answer = await sendText(
    device,
    'control/response',
    `{"id":"${id}","at":null,"seq":[1,1],"command":"${body.id}","ok":true,"result":${result}}`,
  );
  const { items } = (await webhook.api('GET', `/api/devices/${device.id}/commands`)).body;
  return { answer, stored: items[0].result as Json };
};

test.each([
  ['arrays, 2,000 deep', nested(2_000)],
  ['arrays as deep as a message can hold', nested(8_000)],
  ['objects', '{"a":'.repeat(2_000) + 1 + '}'.repeat(2_000)],
  ['one level too deep', nested(maxJsonDepth)],
  ['too many values', `[${Array(maxJsonNodes).fill(0).join()}]`],
])('a response with %s is refused once and for all, and kept as a dead letter', async (_, result) => {
  const device = await webhook.device();
  const { answer } = await respond(device, result);
  expect(refusal(answer)).toEqual([202, 'payload_too_complex']);
  const [letter] = await lettersOf(device);
  expect(letter).toMatchObject({ code: 'payload_too_complex' });
  const replayed = await webhook.api('POST', `/api/dead_letters/${letter!.id}/replay`);
  expect([replayed.status, replayed.body.code]).toEqual([200, 'payload_too_complex']);
});

test('what is as deep as allowed, or as large, is stored as it came', async () => {
  const device = await webhook.device();
  const deep = nested(maxJsonDepth - 1);
  const wide = JSON.stringify(Array.from({ length: maxJsonNodes - 100 }, (_, i) => i % 10));
  for (const result of [deep, wide]) {
    const { answer, stored } = await respond(device, result);
    expect([answer.status, JSON.stringify(stored)]).toEqual([204, result]);
  }
});

test('deep unknown fields, of a message or of the row around it, harm nobody', async () => {
  const device = await webhook.device();
  const payload = `{"id":"a","at":null,"values":{"t":1},"x":${nested(3_000)}}`;
  expect(refusal(await sendText(device, 'data/sensors', payload))).toEqual([202, 'payload_too_complex']);
  const row = JSON.stringify(device.row('data/sensors', { values: { t: 1 } }));
  expect((await webhook.event(row.replace('{', `{"x":${nested(30_000)},`))).status).toBe(204);
  expect((await webhook.event(nested(60_000))).status).toBe(202);
});

test('arguments of a command by REST, however deep, are refused with a coded error', async () => {
  const device = await webhook.device();
  const send = (args: string) =>
    webhook.api('POST', `/api/devices/${device.id}/commands`, `{"command":"read","args":${args}}`);
  for (const args of [`{"a":${nested(200_000)}}`, `{"a":${nested(maxJsonDepth)}}`, nested(300_000)]) {
    const { status, body } = await send(args);
    expect([status, body.code]).toEqual([400, 'invalid_request']);
  }
  expect((await send(`{"a":${nested(maxJsonDepth - 1)}}`)).status).toBe(202);
});

test('no body of any JSON route is too deep to be refused', async () => {
  for (const [method, path] of [
    ['POST', '/api/devices'],
    ['POST', '/api/deployments'],
    ['POST', '/api/regions'],
    ['POST', '/api/firmwares/metadata'],
    ['POST', '/api/certificates/tokens'],
  ] as const) {
    for (const body of [nested(400_000), `{"policy":${nested(400_000)},"name":${nested(50_000)}}`]) {
      const { status } = await webhook.api(method, path, body);
      expect(`${path} ${status}`).toBe(`${path} 400`);
    }
  }
});

test('names of a prototype are names like others, or left out; nothing is changed by them', async () => {
  const device = await webhook.device();
  const { answer, stored } = await respond(
    device,
    '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"a":1}',
  );
  expect(answer.status).toBe(204);
  expect(stored).toMatchObject({ a: 1, constructor: { prototype: { polluted: 1 } } });
  const payload = '{"id":"a","at":null,"__proto__":{"level":"x"},"values":{"__proto__":1,"toString":2}}';
  expect((await sendText(device, 'data/sensors', payload)).status).toBe(204);
  expect((await latest(device)).values).toEqual(expect.objectContaining({ toString: 2 }));
  const inherited = '{"__proto__":{"id":"a","at":null,"level":"info","message":"x"}}';
  expect(refusal(await sendText(device, 'log', inherited))).toEqual([202, 'payload_invalid']);
  expect(({} as Json).polluted).toBeUndefined();
});

test('of a name that is there twice the last one counts', async () => {
  const device = await webhook.device();
  await sendText(
    device,
    'data/sensors',
    '{"id":"a","at":null,"values":{"t":1,"t":2},"values":{"t":3,"t":4}}',
  );
  expect(await latest(device)).toEqual({ values: { t: 4 } });
});

test.each(['1e400', '-1e400', '1e-400', '123456789012345678901234567890', '0.1e1000000'])(
  'the number %s is stored as a number or refused, and never ends in a fault',
  async (number) => {
    const device = await webhook.device();
    const payload = `{"id":"a","at":null,"values":{"t":${number}}}`;
    const answer = await sendText(device, 'data/sensors', payload);
    const fits = Number.isFinite(Number(number));
    expect(refusal(answer)).toEqual(fits ? [204, undefined] : [202, 'payload_invalid']);
    if (fits) expect((await latest(device)).values.t).toBe(Number(number));
    expect((await respond(device, `{"n":${number}}`)).answer.status).toBe(fits ? 204 : 202);
  },
);

test.each([
  ['NUL', '\\u0000'],
  ['the first half of a pair', '\\ud83d'],
  ['the second half of a pair', '\\uDE00'],
  ['halves in the wrong order', '\\ude00\\ud83d'],
])(
  'text with %s, which no database holds, is refused before it reaches one, also in a name',
  async (_, text) => {
    const device = await webhook.device();
    const harmless = await webhook.device();
    const answers = await Promise.all([
      sendText(device, 'log', `{"id":"a","at":null,"level":"info","message":"x${text}"}`),
      sendText(device, 'data/sensors', `{"id":"a","at":null,"values":{"t${text}":1}}`),
      harmless.send('log', { level: 'info', message: 'x' }),
    ]);
    expect(answers.map(refusal)).toEqual([
      [202, 'payload_not_json'],
      [202, 'payload_not_json'],
      [204, undefined],
    ]);
    // As the row itself could bring it.
    const raw = { ...device.row('log', {}), payload: '\ud83d' };
    expect(refusal(await webhook.event(raw))).toEqual([202, 'payload_not_json']);
    expect(await lettersOf(device)).toHaveLength(3);
  },
);

test('pairs, escaped or not, and what only looks like an escape, are stored as they came', async () => {
  const device = await webhook.device();
  const texts = ['"\\ud83d\\ude00"', '"😀"', '"C:\\\\u0000\\\\ud83d"', '"\\u00e9\\u2028"'];
  for (const text of texts) {
    const payload = `{"id":"a","at":null,"level":"info","message":${text}}`;
    expect((await sendText(device, 'log', payload)).status).toBe(204);
  }
  const rows = await db.select().from(deviceLogs).where(eq(deviceLogs.deviceId, device.id));
  expect(rows.map((r) => r.message).sort()).toEqual(texts.map((t) => JSON.parse(t) as string).sort());
  expect(await getLatest(db, device.id)).toEqual([]);
});
