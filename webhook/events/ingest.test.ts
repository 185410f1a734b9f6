import { randomUUID } from 'node:crypto';
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { query } from '../db/query.ts';
import { devices } from '../devices/table.ts';
import { getLatest } from '../telemetry/measurements.ts';
import { deviceLogs } from '../telemetry/table.ts';
import {
  interruptible,
  openDatabase,
  startTestWebhook,
  type TestDatabase,
  type TestDevice,
  type TestWebhook,
} from '../testing.ts';
import { deadLetters, receivedMessages } from './table.ts';

let opened: TestDatabase;
let database: ReturnType<typeof interruptible>;
let webhook: TestWebhook;
beforeAll(async () => {
  opened = await openDatabase();
  database = interruptible(opened);
  webhook = await startTestWebhook(database);
});
afterAll(async () => {
  await webhook?.close();
  await opened?.close();
});

const letters = (clientId: string) =>
  database.db.select().from(deadLetters).where(eq(deadLetters.clientId, clientId));
const letterOf = (body: string) => database.db.select().from(deadLetters).where(eq(deadLetters.body, body));
const acksTo = (device: TestDevice) =>
  webhook.broker.to(device.id, 'ack').flatMap((s) => s.body.ids as string[]);
const deviceRow = async (device: TestDevice) =>
  (await database.db.select().from(devices).where(eq(devices.id, device.id)))[0]!;
const health = (device: TestDevice, id: string, sha = 'c'.repeat(64), seq = [1, 1]) =>
  device.row('status/health', { id, seq, state: 'ok', running: [device.running(sha)] });

describe('who may post', () => {
  test.each([
    ['no token', {}],
    ['a wrong token', { authorization: 'Bearer nonsense' }],
    ["the API's token", { authorization: 'Bearer api-token-for-tests' }],
    ['another scheme', { authorization: 'Basic d2ViaG9vay10b2tlbi1mb3ItdGVzdHM=' }],
  ])('%s is refused and nothing is kept', async (_, headers) => {
    const device = await webhook.device();
    const answer = await webhook.event(device.row('log', { level: 'info', message: 'x' }), headers);
    expect(answer.status).toBe(401);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.body.code).toBe('token_invalid');
    expect(await database.db.select().from(deviceLogs).where(eq(deviceLogs.deviceId, device.id))).toEqual([]);
    expect(await letters(device.id)).toEqual([]);
  });

  test('the public port has no such route', async () => {
    const answer = await fetch(`http://127.0.0.1:${webhook.copy.port}/emqx/events`, { method: 'POST' });
    expect(answer.status).toBe(404);
  });
});

describe('what can never succeed is answered 202 and kept as a dead letter', () => {
  test('an outer body that is not JSON', async () => {
    const body = `{"broken ${randomUUID()}`;
    const answer = await webhook.event(body);
    expect([answer.status, answer.body.code]).toEqual([202, 'event_rejected']);
    expect(await letterOf(body)).toMatchObject([{ code: 'event_malformed', detail: 'not JSON' }]);
  });

  test('a row that no rule sends', async () => {
    const body = JSON.stringify({ event: 'exploded', nonce: randomUUID() });
    expect((await webhook.event(body)).status).toBe(202);
    expect(await letterOf(body)).toMatchObject([{ code: 'event_malformed' }]);
  });

  test('a body larger than any row, of which the beginning is kept', async () => {
    const start = randomUUID();
    expect((await webhook.event(start + 'x'.repeat(200_000))).status).toBe(202);
    const [letter] = await query<{ n: number }>(
      database.db,
      sql`select length(body) as n from dead_letters where body like ${`${start}%`}`,
    );
    expect(letter!.n).toBe(1024);
  });

  const cases: [string, string, (d: TestDevice) => object][] = [
    [
      'a device that speaks as another',
      'client_mismatch',
      (d) => ({ clientid: d.id, topic: 'devices/victim/log' }),
    ],
    ['an unknown topic', 'topic_unknown', (d) => ({ topic: `devices/${d.id}/firmware/format` })],
    ['a downlink topic', 'topic_unknown', (d) => ({ topic: `devices/${d.id}/firmware/download/request` })],
    ['a topic outside the mountpoint', 'topic_unknown', () => ({ topic: 'log' })],
    ['a payload that is not JSON', 'payload_not_json', () => ({ payload: '{"id":' })],
    [
      'a payload with NUL',
      'payload_not_json',
      () => ({ payload: '{"id":"x","at":null,"level":"info","message":"\\u0000"}' }),
    ],
    ['a payload that is no object', 'payload_invalid', () => ({ payload: '[]' })],
    ['a payload that lacks a field', 'payload_invalid', () => ({ payload: '{"id":"x","at":null}' })],
    [
      'a payload above 16 KiB',
      'payload_too_large',
      () => ({ payload: JSON.stringify({ id: 'x', m: 'é'.repeat(8200) }) }),
    ],
  ];
  test.each(cases)('%s', async (_, code, change) => {
    const device = await webhook.device();
    const row = { ...device.row('log', { level: 'info', message: 'x' }), ...change(device) };
    const answer = await webhook.event(row);
    expect(answer.status).toBe(202);
    expect(answer.body).toMatchObject({ code: 'event_rejected', errors: [{ message: code }] });
    expect(await letters(device.id)).toMatchObject([{ code, topic: row.topic, body: JSON.stringify(row) }]);
    expect(await database.db.select().from(deviceLogs).where(eq(deviceLogs.deviceId, device.id))).toEqual([]);
  });

  test('a device that nobody registered', async () => {
    const device = await webhook.device();
    const stranger = `stranger-${randomUUID().slice(0, 8)}`;
    const row = {
      ...device.row('log', { level: 'info', message: 'x' }),
      clientid: stranger,
      topic: `devices/${stranger}/log`,
    };
    expect((await webhook.event(row)).status).toBe(202);
    expect(await letters(stranger)).toMatchObject([{ code: 'device_unknown' }]);
  });

  test('a connection with the certificate of somebody else, or with none', async () => {
    const device = await webhook.device();
    for (const cert of ['SERIALNUMBER=0A,CN=other', 'undefined']) {
      const row = { event: 'connected', clientid: device.id, cert, peername: 'x', connected_at: 1 };
      expect((await webhook.event(row)).body.errors[0].message).toBe('certificate_mismatch');
    }
    expect(await letters(device.id)).toHaveLength(2);
    expect((await deviceRow(device)).online).toBe(false);
  });
});

describe('critical messages', () => {
  test('are acked after the commit, again when repeated, and handled once', async () => {
    const device = await webhook.device();
    const id = randomUUID();
    const row = device.row('control/response', { id, seq: [1, 1], command: 'c', ok: true });
    expect((await webhook.event(row)).status).toBe(204);
    await until('the ack', () => acksTo(device).length === 1);
    expect((await webhook.event(row)).status).toBe(204);
    await until('the second ack', () => acksTo(device).length === 2);
    expect(acksTo(device)).toEqual([id, id]);
    const kept = await database.db
      .select()
      .from(receivedMessages)
      .where(eq(receivedMessages.deviceId, device.id));
    expect(kept).toHaveLength(1);
  });

  test('an id used again for another body is a dead letter without an ack, also within one group', async () => {
    const device = await webhook.device();
    const id = randomUUID();
    const answers = await Promise.all([
      webhook.event(health(device, id)),
      webhook.event(health(device, id, 'd'.repeat(64))),
    ]);
    expect(answers.map((a) => a.status).sort()).toEqual([202, 204]);
    expect(await letters(device.id)).toMatchObject([{ code: 'id_reused' }]);
    await until('the ack', () => acksTo(device).length === 1);
    expect((await webhook.event(health(device, id, 'e'.repeat(64)))).status).toBe(202);
    expect(await letters(device.id)).toHaveLength(2);
  });

  test('the same id from two devices is two messages', async () => {
    const [a, b] = [await webhook.device(), await webhook.device()];
    const id = randomUUID();
    expect((await webhook.event(health(a, id))).status).toBe(204);
    expect((await webhook.event(health(b, id))).status).toBe(204);
  });

  test('an older report that arrives later does not replace what is known to run', async () => {
    const device = await webhook.device();
    const [older, newer] = ['1'.repeat(64), '2'.repeat(64)];
    await device.boot(newer, [7, 0]);
    await device.boot(older, [6, 5]);
    const { body } = await webhook.api('GET', `/api/devices/${device.id}`);
    expect(body.running).toMatchObject([{ sha256: newer }]);
    await Promise.all([device.boot(older, [9, 0]), device.boot(newer, [8, 9])]);
    expect((await webhook.api('GET', `/api/devices/${device.id}`)).body.running[0].sha256).toBe(older);
  });

  test('a device that counts its boots anew is heard, and what it said before no longer counts', async () => {
    const device = await webhook.device();
    const runs = async () => (await webhook.api('GET', `/api/devices/${device.id}`)).body.running[0].sha256;
    const image = (n: number) => String(n).repeat(64);
    const boot = (n: number, seq: [number, number], epoch?: string) =>
      device.boot(image(n), seq, 'power_on', epoch);
    // A firmware that told no epoch is followed by one that does, and goes on counting.
    await boot(1, [500, 0]);
    await boot(2, [501, 0], 'first');
    expect(await runs()).toBe(image(2));
    // It has lost its storage.
    await boot(3, [1, 0], 'second');
    expect(await runs()).toBe(image(3));
    // Late, or played again: an epoch that was left does not come back, however high it counts.
    await boot(2, [502, 0], 'first');
    expect(await runs()).toBe(image(3));
    await boot(4, [1, 5], 'second');
    expect(await runs()).toBe(image(4));
    // Rolled back to the firmware that tells none: it goes on in the epoch that is known.
    await boot(5, [2, 0]);
    expect(await runs()).toBe(image(5));
    await boot(6, [1, 9]);
    expect(await runs()).toBe(image(5));
  });

  test('of two epochs in one group the one that came later is the newer', async () => {
    const device = await webhook.device();
    await device.boot('0'.repeat(64), [90, 0], 'power_on', 'old');
    const rows = [
      device.row('status/health', {
        seq: [1, 0],
        epoch: 'new',
        state: 'ok',
        running: [device.running('1'.repeat(64))],
      }),
      device.row('status/health', {
        seq: [91, 0],
        epoch: 'old',
        state: 'ok',
        running: [device.running('2'.repeat(64))],
      }),
    ];
    await Promise.all(rows.map((row) => webhook.event(row)));
    const { body } = await webhook.api('GET', `/api/devices/${device.id}`);
    expect(body.running[0].sha256).toBe('1'.repeat(64));
  });

  test('acks of a group leave as one bulk call', async () => {
    const many = await Promise.all(Array.from({ length: 40 }, () => webhook.device()));
    const before = webhook.broker.calls.length;
    await Promise.all(many.map((d) => d.boot('f'.repeat(64), [1, 0])));
    await until('all acks', () => many.every((d) => acksTo(d).length === 1));
    const calls = webhook.broker.calls.slice(before).filter((call) => call[0]?.topic === 'ack');
    expect(calls.length).toBeLessThan(20);
    expect(Math.max(...calls.map((c) => c.length))).toBeGreaterThan(2);
    expect(calls[0]![0]!.message.qos).toBe(0);
  });

  test('no ack can be lost into an unhandled rejection when the broker is away', async () => {
    const device = await webhook.device();
    webhook.broker.answer = () => {
      throw new Error('away');
    };
    try {
      expect((await device.boot('f'.repeat(64), [1, 0])).status).toBe(204);
    } finally {
      webhook.broker.answer = () => ({ kind: 'routed' });
    }
  });
});

describe('groups', () => {
  test('poison that the database refuses is buried alone and harms nobody', async () => {
    // Nothing of the protocol is refused by it today, as far as is known.
    await database.db.execute(sql`
      create or replace function refuse_poison() returns trigger language plpgsql as $$
      begin raise exception 'this is poison' using errcode = '22000'; end $$`);
    await database.db.execute(sql`
      create trigger refuse_poison before insert on device_logs
      for each row when (new.message = 'poison') execute function refuse_poison()`);
    const device = await webhook.device();
    const poisoned = await webhook.device();
    const good = Array.from({ length: 12 }, (_, i) => device.row('log', { level: 'info', message: `m${i}` }));
    const answers = await Promise.all(
      [...good.slice(0, 6), poisoned.row('log', { level: 'info', message: 'poison' }), ...good.slice(6)].map(
        (row) => webhook.event(row),
      ),
    );
    expect(answers.map((a) => a.status).filter((s) => s === 204)).toHaveLength(12);
    expect(answers[6]!.status).toBe(202);
    expect(await letters(poisoned.id)).toMatchObject([
      { code: 'payload_invalid', detail: 'this is poison', topic: `devices/${poisoned.id}/log` },
    ]);
    expect(
      await database.db.select().from(deviceLogs).where(eq(deviceLogs.deviceId, device.id)),
    ).toHaveLength(12);
    expect(acksTo(poisoned)).toEqual([]);
  });

  test('telemetry of all kinds is stored', async () => {
    const device = await webhook.device();
    const answers = await Promise.all([
      device.send('status/system', { uptimeMs: 1 }),
      device.send('status/network', { rssiDbm: -60 }),
      device.send('data/sensors', { values: { t: 21.5 } }),
      device.send('data/metrics', { values: { n: 1 } }),
      device.send('status/health', { state: 'ok', running: [device.running('a'.repeat(64))] }),
    ]);
    expect(answers.map((a) => a.status)).toEqual([204, 204, 204, 204, 204]);
    const rows = await getLatest(database.db, device.id);
    expect(rows.map((r) => r.topic).sort()).toEqual([
      'data/metrics',
      'data/sensors',
      'status/network',
      'status/system',
    ]);
    expect(rows.find((r) => r.topic === 'data/sensors')!.body).toMatchObject({ values: { t: 21.5 } });
    expect(acksTo(device)).toEqual([]);
  });

  test('while the database is away every event gets 503, and counts once when it comes again', async () => {
    const device = await webhook.device();
    const id = randomUUID();
    database.away = true;
    try {
      const answer = await webhook.event(health(device, id));
      expect([answer.status, answer.body.code]).toEqual([503, 'database_unavailable']);
      expect((await webhook.event('not json')).status).toBe(503);
      expect((await webhook.api('GET', '/api/devices')).status).toBe(503);
      expect((await fetch(`${webhook.copy.url}/readyz`)).status).toBe(503);
      expect((await fetch(`${webhook.copy.url}/healthz`)).status).toBe(200);
    } finally {
      database.away = false;
    }
    expect((await webhook.event(health(device, id))).status).toBe(204);
    expect((await fetch(`${webhook.copy.url}/readyz`)).status).toBe(200);
    await until('the ack', () => acksTo(device).length === 1);
  });
});

describe('presence', () => {
  test('connect, subscribe, disconnect', async () => {
    const device = await webhook.device();
    await device.connect(1_000, '0b');
    expect(await deviceRow(device)).toMatchObject({
      online: true,
      reachable: false,
      certificateSerial: '0B',
    });
    await device.subscribe();
    expect(await deviceRow(device)).toMatchObject({ online: true, reachable: true });
    await device.disconnect(1_000);
    expect(await deviceRow(device)).toMatchObject({ online: false, reachable: false });
  });

  test('an old disconnect after a new connect changes nothing', async () => {
    const device = await webhook.device();
    await device.connect(1_000);
    await device.connect(2_000);
    await device.subscribe();
    await device.disconnect(1_000);
    expect(await deviceRow(device)).toMatchObject({ online: true, reachable: true });
  });

  test('a subscription that overtakes its connect keeps the device reachable', async () => {
    const device = await webhook.device();
    const connectedAt = Date.now();
    await device.subscribe();
    await device.connect(connectedAt);
    expect(await deviceRow(device)).toMatchObject({ online: true, reachable: true });
  });

  test('also when the old disconnect comes between the two', async () => {
    const device = await webhook.device();
    await device.connect(1_000);
    const connectedAt = Date.now();
    await device.subscribe();
    await device.disconnect(1_000);
    await device.connect(connectedAt);
    expect(await deviceRow(device)).toMatchObject({ online: true, reachable: true });
  });

  test('a disconnect that overtakes its own connect leaves the device offline', async () => {
    const device = await webhook.device();
    await device.disconnect(1_000);
    await device.connect(1_000);
    expect(await deviceRow(device)).toMatchObject({ online: false });
  });

  test('a subscription to anything but the request topic says nothing', async () => {
    const device = await webhook.device();
    const row = { event: 'subscribed', clientid: device.id, topic: `devices/${device.id}/ack`, cert: '' };
    expect((await webhook.event(row)).status).toBe(204);
    expect((await deviceRow(device)).reachable).toBe(false);
  });
});

test('any message says that a device was seen, once in a while and not each time', async () => {
  const device = await webhook.device();
  const seen = async () => (await deviceRow(device)).lastSeenAt?.getTime() ?? 0;
  const log = (message: string) => device.send('log', { level: 'info', message });
  expect(await seen()).toBe(0);
  await log('first');
  const first = await seen();
  expect(Date.now() - first).toBeLessThan(60_000);
  await log('second');
  expect(await seen()).toBe(first);
});
