import { randomUUID } from 'node:crypto';
import { and, between, eq, gt, inArray, isNull, not, sql } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { query } from '../db/query.ts';
import { everything } from '../devices/reach.ts';
import { send } from '../outbox/send.ts';
import { outbox } from '../outbox/table.ts';
import { sendCommand } from '../telemetry/commands.ts';
import {
  createDevice,
  type Json,
  type Sent,
  startTestWebhook,
  type TestDatabase,
  type TestDevice,
  type TestWebhook,
} from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { targets } from './table.ts';

const { database, webhook } = await startSuite();
afterEach(() => {
  webhook.broker.answer = () => ({ kind: 'routed' });
});

async function online(at = webhook): Promise<TestDevice> {
  const device = await at.device();
  await device.connect();
  await device.subscribe();
  return device;
}
const reaches = (deployment: string, device: TestDevice, state: string) =>
  until(`${state} of ${device.id}`, async () => {
    const target = await webhook.target(deployment, device);
    return target.state === state ? target : null;
  });
const get = async (id: string) => (await webhook.api('GET', `/api/deployments/${id}`)).body;
const expire = (deployment: string, column: 'deadline_at' | 'next_attempt_at') =>
  database.db.execute(
    sql`update targets set ${sql.raw(column)} = now() - interval '1 s' where deployment_id = ${deployment} and ${sql.raw(column)} is not null`,
  );
/** Ends the back-off of the first tries (never a lease, which is longer) until nothing of these devices is left. */
const emptied = (...devices: TestDevice[]) =>
  until('an empty outbox', async () => {
    const mine = inArray(
      outbox.deviceId,
      devices.map((d) => d.id),
    );
    await database.db
      .update(outbox)
      .set({ sendAt: sql`now()` })
      .where(and(mine, between(outbox.sendAt, sql`now()`, sql`now() + interval '5 s'`)));
    return (await database.db.$count(outbox, mine)) === 0;
  });
const rowsFor = (device: TestDevice) =>
  database.db.select().from(outbox).where(eq(outbox.deviceId, device.id));

/** A deployment of one firmware to one device, whose request has been sent. */
async function requested(): Promise<{ device: TestDevice; firmware: Json; id: string }> {
  const device = await online();
  const firmware = await webhook.firmware();
  const { id } = await webhook.deploy(firmware.id, device);
  await until('the request', () => device.requests().length === 1);
  return { device, firmware, id };
}

describe('an update', () => {
  test('goes from request to attested success, and the deployment completes with its figures', async () => {
    const { device, firmware, id } = await requested();
    const [sent] = device.requests();
    expect(sent!.body).toMatchObject({ deployment: id, attempt: 1 });
    expect(sent!.message).toMatchObject({ qos: 1, messageExpirySeconds: 3600 });
    expect(sent!.message.traceparent!.split('-')[1]).toBe(String(sent!.body.id).replaceAll('-', ''));
    expect(sent!.body.url).toMatch(/^https:/);
    await device.accept(id);
    await device.send('firmware/download/progress', {
      deployment: id,
      attempt: 1,
      stage: 'downloading',
      receivedBytes: 9,
      totalBytes: 36,
      bytesPerSecond: 3,
    });
    expect(await reaches(id, device, 'downloading')).toMatchObject({
      receivedBytes: 9,
      bytesPerSecond: 3,
      attempt: 1,
    });
    const stats = { downloadMs: 1200, resumes: 2, receivedBytes: 36, redownloadedBytes: 0 };
    await device.result(id, firmware.sha256, 'succeeded', { stats });
    await until('completion', async () => (await get(id)).state === 'completed');
    expect(await get(id)).toMatchObject({
      total: 1,
      counts: { succeeded: 1, pending: 0 },
      figures: { successRate: 1, meanDownloadMs: 1200, resumedDownloads: 1 },
    });
    const { body: events } = await webhook.api('GET', `/api/deployments/${id}/targets/${device.id}/events`);
    expect(events.map((e: Json) => e.state)).toEqual(['sent', 'accepted', 'downloading', 'succeeded']);
    expect((await webhook.api('GET', `/api/firmware/${firmware.id}`)).body.runningOn).toBe(1);
    expect(await rowsFor(device)).toEqual([]);
  });

  test('a success that the digest does not confirm is a failure', async () => {
    const { device, id } = await requested();
    await device.result(id, '0'.repeat(64));
    expect((await reaches(id, device, 'failed')).error.code).toBe('attestation_mismatch');
  });

  test('a boot report of the right digest is enough, one that a later boot has overtaken is not', async () => {
    const first = await requested();
    await first.device.boot(first.firmware.sha256, [3, 0]);
    await reaches(first.id, first.device, 'succeeded');
    const second = await requested();
    await second.device.boot('0'.repeat(64), [9, 0]);
    await second.device.boot(second.firmware.sha256, [8, 0]);
    expect((await webhook.target(second.id, second.device)).state).toBe('sent');
  });

  test('the boot of an update leaves the verdict to its result, which also brings the figures', async () => {
    const { device, firmware, id } = await requested();
    await device.boot(firmware.sha256, [3, 0], 'update');
    expect((await webhook.target(id, device)).state).toBe('sent');
    expect((await device.result(id, firmware.sha256)).status).toBe(204);
    await reaches(id, device, 'succeeded');
  });

  test('a device cannot speak about the deployment of another', async () => {
    const { device, firmware, id } = await requested();
    const stranger = await online();
    expect((await stranger.result(id, firmware.sha256)).status).toBe(204);
    expect((await webhook.target(id, device)).state).toBe('sent');
    expect((await stranger.accept(randomUUID())).status).toBe(204);
  });

  test('messages that arrive in the wrong order within a group are taken in theirs', async () => {
    const { device, firmware, id } = await requested();
    const say = (topic: Json, seq: number, body: object) =>
      device.send(topic, { seq: [1, seq], deployment: id, attempt: 1, ...body });
    await Promise.all([
      say('firmware/download/result', 9, { outcome: 'succeeded', running: device.running(firmware.sha256) }),
      say('firmware/download/request/ack', 8, { accepted: true }),
    ]);
    await reaches(id, device, 'succeeded');
  });
});

describe('waiting and trying again', () => {
  test('a device that is not subscribed gets its command when it is', async () => {
    const device = await webhook.device();
    const { id } = await webhook.deploy((await webhook.firmware()).id, device);
    await device.connect();
    expect((await webhook.target(id, device)).state).toBe('pending');
    expect(device.requests()).toEqual([]);
    await device.subscribe();
    await until('the request', () => device.requests().length === 1);
  });

  test('subscribing again brings the same attempt with a fresh URL, and so does an expired one', async () => {
    const { device, id } = await requested();
    await device.disconnect();
    await device.connect();
    await device.subscribe();
    await until('the second request', () => device.requests().length === 2);
    const progress = {
      deployment: id,
      attempt: 1,
      stage: 'downloading',
      receivedBytes: 1,
      totalBytes: 36,
      urlExpired: true,
    };
    await device.send('firmware/download/progress', progress);
    await until('the third request', () => device.requests().length === 3);
    const bodies = device.requests().map((r) => r.body);
    expect(bodies.map((b) => b.attempt)).toEqual([1, 1, 1]);
    expect(new Set(bodies.map((b) => b.url)).size).toBe(3);
    expect(new Set(bodies.map((b) => b.id)).size).toBe(3);
  });

  test('a device that waits for the URL of a deployment that is gone is told to stop, and an admin sees it', async () => {
    const device = await online();
    const update = { deployment: randomUUID(), attempt: 3 };
    const progress = { ...update, stage: 'downloading', receivedBytes: 1, totalBytes: 36 };
    await device.send('firmware/download/progress', progress);
    const wish = await device.send('firmware/download/progress', { ...progress, urlExpired: true });
    expect(wish.body.errors).toMatchObject([{ message: 'deployment_unknown' }]);
    const cancels = () => webhook.broker.to(device.id, 'firmware/download/cancel').map((c) => c.body);
    await until('the cancel', () => cancels().length === 1);
    expect(cancels()).toMatchObject([update]);
    const letters = await webhook.api('GET', `/api/dead_letters?clientId=${device.id}`);
    expect(letters.body.items).toMatchObject([{ code: 'deployment_unknown' }]);
    // Its answer is acknowledged, and another update reaches it.
    const ack = await device.critical('firmware/download/cancel/ack', { ...update, cancelled: true });
    expect(ack.status).toBe(204);
    await webhook.deploy((await webhook.firmware()).id, device);
    await until('the next request', () => device.requests().length === 1);
  });

  test('a transient failure is tried again after its back-off, and no more often than allowed', async () => {
    const { device, id } = await requested();
    for (const attempt of [1, 2, 3]) {
      await until(`attempt ${attempt}`, () => device.requests().some((r) => r.body.attempt === attempt));
      await device.result(id, '0'.repeat(64), 'failed', { attempt, error: { code: 'download_failed' } });
      if (attempt === 3) break;
      const [row] = await database.db.select().from(targets).where(eq(targets.deploymentId, id));
      expect(row!.nextAttemptAt!.getTime()).toBeGreaterThan(Date.now() + 5_000);
      await expire(id, 'next_attempt_at');
    }
    expect(await reaches(id, device, 'failed')).toMatchObject({
      attempt: 3,
      error: { code: 'download_failed' },
    });
    await until('completion', async () => (await get(id)).state === 'completed');
    expect(device.requests()).toHaveLength(3);
  });

  test('silence times out, and a late attested success corrects it after the deployment is closed', async () => {
    const { device, firmware, id } = await requested();
    await database.db.update(targets).set({ attempt: 3 }).where(eq(targets.deploymentId, id));
    await expire(id, 'deadline_at');
    await reaches(id, device, 'timed_out');
    await until('completion', async () => (await get(id)).state === 'completed');
    await device.result(id, firmware.sha256);
    await reaches(id, device, 'succeeded');
    expect((await get(id)).figures.successRate).toBe(1);
  });

  test('an application that puts an update off has the deployment’s time, is told it, and is no silence', async () => {
    const device = await online();
    const { id: firmwareId } = await webhook.firmware();
    const policy = { deferralMs: 3_600_000, atDeadline: 'proceed' };
    const wanted = { firmwareId, devices: [device.id], policy };
    expect((await webhook.api('POST', '/api/deployments/dry_run', wanted)).body).toMatchObject(policy);
    const { id } = (await webhook.api('POST', '/api/deployments', wanted)).body;
    expect(await get(id)).toMatchObject({ policy });
    await until('the request', () => device.requests().length === 1);
    const [{ body }] = device.requests() as [Sent & { body: Json }];
    expect(body.atDeadline).toBe('proceed');
    expect(Math.abs(body.deadlineUnixMs - Date.now() - 3_600_000)).toBeLessThan(60_000);
    const progress = { deployment: id, attempt: 1, stage: 'verifying', receivedBytes: 36, totalBytes: 36 };
    const deferred = { until: '2027-01-01T00:00:00.000Z', reason: 'the servo moves' };
    const deadline = new Date(body.deadlineUnixMs).toISOString();
    const shown = { ...deferred, step: 'install', deadline };
    await device.send('firmware/download/progress', { ...progress, deferred });
    await device.send('firmware/download/progress', { ...progress, deferred });
    expect((await reaches(id, device, 'installing')).deferred).toEqual(shown);
    const [past] = (await webhook.api('GET', `/api/devices/${device.id}/firmware_history`)).body.items;
    expect(past.deferred).toEqual(shown);
    const [row] = await database.db.select().from(targets).where(eq(targets.deploymentId, id));
    expect(row!.deadlineAt!.getTime()).toBeGreaterThan(body.deadlineUnixMs);
    await device.send('firmware/download/progress', { ...progress, stage: 'installing' });
    await until('the end of it', async () => (await webhook.target(id, device)).deferred === null);
    const events = (await webhook.api('GET', `/api/deployments/${id}/targets/${device.id}/events`)).body;
    const told = (events.items ?? events).filter((e: Json) => e.event === 'install_deferred');
    expect(told).toMatchObject([{ state: 'installing', detail: 'the servo moves' }]);
  });

  test('a broker that is away loses no command: they wait, are spread out, and go later', async () => {
    let calls = 0;
    webhook.broker.answer = ({ topic }: Sent) => {
      if (topic === 'ack') return { kind: 'routed' };
      calls++;
      throw new Error('away');
    };
    const device = await online();
    const { id } = await webhook.deploy((await webhook.firmware()).id, device);
    const [row] = await until('a try', async () => {
      const rows = await rowsFor(device);
      return calls > 0 && rows[0] && rows[0].tries > 0 && rows[0].sendAt!.getTime() < Date.now() + 10_000
        ? rows
        : null;
    });
    expect(row).toMatchObject({ topic: 'firmware/download/request', deploymentId: id, attempt: 1 });
    webhook.broker.answer = () => ({ kind: 'routed' });
    await emptied(device);
    expect(device.requests()).toHaveLength(1);
  });

  test('of a group, what failed is sent again alone; what was refused is not', async () => {
    const [a, b, c] = [await online(), await online(), await online()];
    let failed = 0;
    webhook.broker.answer = (sent) => {
      if (sent.topic === 'ack') return { kind: 'routed' };
      if (sent.device === b.id && failed++ === 0) return { kind: 'failed', reason: 'busy' };
      return sent.device === c.id ? { kind: 'refused', reason: 'bad' } : { kind: 'routed' };
    };
    const { id } = await webhook.deploy((await webhook.firmware()).id, a, b, c);
    for (const device of [a, b, c]) await reaches(id, device, 'sent');
    await emptied(a, b, c);
    expect([a, b].map((d) => d.requests().length)).toEqual([1, 1]);
    expect(failed).toBe(2);
    expect(c.requests()).toEqual([]);
  });
});

describe('commands that wait for a device', () => {
  const context = () =>
    ({ db: database.db, broker: webhook.broker, objects: webhook.objects, wake() {}, log() {} }) as Json;

  test('are parked while nobody subscribes, and go when the device does', async () => {
    const device = await webhook.device();
    webhook.broker.answer = () => ({ kind: 'no_subscriber' });
    await sendCommand(context(), everything, device.id, 'blink', { times: 3 }, 'me');
    await until('parking', async () => (await rowsFor(device))[0]?.sendAt === null);
    webhook.broker.answer = () => ({ kind: 'routed' });
    await device.connect();
    await device.subscribe();
    const [sent] = await until('the command', () => {
      const sent = webhook.broker.to(device.id, 'control/command');
      return sent.length ? sent : null;
    });
    expect(sent!.body).toMatchObject({ command: 'blink', args: { times: 3 } });
    await device.critical('control/response', { command: sent!.body.id, ok: true, result: 'done' });
    const [row] = await query<{ response: Json }>(
      database.db,
      sql`select response from control_commands where device_id = ${device.id}`,
    );
    expect(row!.response).toMatchObject({ ok: true, result: 'done' });
  });

  test('are not parked for good when the device subscribes while they are under way', async () => {
    const device = await webhook.device();
    webhook.broker.answer = async (sent) => {
      if (sent.device !== device.id) return { kind: 'routed' };
      await device.subscribe();
      return { kind: 'no_subscriber' };
    };
    await sendCommand(context(), everything, device.id, 'blink', undefined, 'me');
    await until('a second plan', async () => {
      const [row] = await rowsFor(device);
      return row && row.tries > 0 && (row.sendAt === null || row.sendAt.getTime() < Date.now() + 10_000);
    });
    expect(
      await database.db
        .select()
        .from(outbox)
        .where(and(eq(outbox.deviceId, device.id), isNull(outbox.sendAt))),
    ).toEqual([]);
    webhook.broker.answer = () => ({ kind: 'routed' });
    await emptied(device);
    expect(webhook.broker.to(device.id, 'control/command')).toHaveLength(1);
  });
});

describe('cancelling', () => {
  test('what was never sent is cancelled at once and never sent', async () => {
    const device = await webhook.device();
    const { id } = await webhook.deploy((await webhook.firmware()).id, device);
    const answer = await webhook.api('POST', `/api/deployments/${id}/cancel`);
    expect(answer.status).toBe(202);
    expect(answer.body).toMatchObject({ state: 'cancelled', counts: { cancelled: 1 } });
    await device.connect();
    await device.subscribe();
    const other = await requested();
    expect(other.device.requests()).toHaveLength(1);
    expect(device.requests()).toEqual([]);
    const again = await webhook.api('POST', `/api/deployments/${id}/cancel`);
    expect([again.status, again.body.code]).toEqual([409, 'deployment_finished']);
  });

  test('what was sent waits for the device, which is told again whenever it is back', async () => {
    const { device, id } = await requested();
    await webhook.api('POST', `/api/deployments/${id}/cancel`);
    await until('the cancel', () => webhook.broker.to(device.id, 'firmware/download/cancel').length === 1);
    expect((await webhook.target(id, device)).state).toBe('cancelling');
    await device.subscribe();
    await until(
      'the cancel again',
      () => webhook.broker.to(device.id, 'firmware/download/cancel').length === 2,
    );
    await device.critical('firmware/download/cancel/ack', { deployment: id, attempt: 1, cancelled: true });
    await reaches(id, device, 'cancelled');
    expect(device.requests()).toHaveLength(1);
  });

  test('a request that still waits in the outbox is dropped', async () => {
    webhook.broker.answer = ({ topic }) =>
      topic === 'ack' ? { kind: 'routed' } : { kind: 'failed', reason: 'busy' };
    const device = await online();
    const { id } = await webhook.deploy((await webhook.firmware()).id, device);
    await reaches(id, device, 'sent');
    await webhook.api('POST', `/api/deployments/${id}/cancel`);
    webhook.broker.answer = () => ({ kind: 'routed' });
    await emptied(device);
    expect(webhook.broker.to(device.id).map((s) => s.topic)).toEqual(['firmware/download/cancel']);
  });

  test('against the dispatcher: no request leaves once the cancel is answered', async () => {
    for (let round = 0; round < 4; round++) {
      const devices = await Promise.all(Array.from({ length: 6 }, () => online()));
      const { id } = await webhook.deploy((await webhook.firmware()).id, ...devices);
      const answer = await webhook.api('POST', `/api/deployments/${id}/cancel`);
      expect(answer.status).toBe(202);
      const counts = answer.body.counts;
      expect(counts.cancelled + counts.cancelling).toBe(6);
      await emptied(...devices);
      for (const device of devices) {
        const topics = webhook.broker.to(device.id).map((s) => s.topic);
        const { state } = await webhook.target(id, device);
        if (state === 'cancelled') expect(topics).toEqual([]);
        else expect(topics.at(-1)).toBe('firmware/download/cancel');
      }
    }
  });
});

test('a newer deployment supersedes what has not been sent, and is the only one sent', async () => {
  const device = await webhook.device();
  const [old, recent] = [await webhook.firmware(), await webhook.firmware()];
  const first = await webhook.deploy(old.id, device);
  const second = await webhook.deploy(recent.id, device);
  await reaches(first.id, device, 'skipped');
  await device.connect();
  await device.subscribe();
  await until('the request', () => device.requests().length === 1);
  expect(device.requests()[0]!.body.deployment).toBe(second.id);
  await until('completion', async () => (await get(first.id)).state === 'completed');
  const third = await webhook.deploy(old.id, device);
  expect((await webhook.target(third.id, device)).state).toBe('pending');
  await device.result(second.id, recent.sha256);
  await until('the next request', () => device.requests().some((r) => r.body.deployment === third.id));
});

describe('what cannot be deployed', () => {
  test.each([
    ['nobody', { devices: [] }],
    ['a device that is not there', { devices: ['nobody-at-all'] }],
    ['a region without devices', { regions: [randomUUID()] }],
  ])('to %s', async (_, selection) => {
    const firmware = await webhook.firmware();
    const answer = await webhook.api('POST', '/api/deployments', { firmwareId: firmware.id, ...selection });
    expect([answer.status, answer.body.code]).toEqual([422, 'no_targets']);
    expect((await webhook.api('GET', `/api/firmware/${firmware.id}`)).body.deployments).toEqual([]);
  });

  test('to devices of other hardware, which the dry run names', async () => {
    const firmware = await webhook.firmware({ hardware: 'other-board' });
    const device = await webhook.device();
    const right = await webhook.device({ hardware: 'other-board' });
    const selection = { firmwareId: firmware.id, devices: [device.id] };
    expect((await webhook.api('POST', '/api/deployments', selection)).body.code).toBe('no_targets');
    const { body } = await webhook.api('POST', '/api/deployments/dry_run', {
      ...selection,
      devices: [device.id, right.id],
    });
    expect(body).toMatchObject({
      targets: 1,
      waves: [{ total: 1, devices: [right.id] }],
      excluded: [{ device: device.id, reason: 'other_hardware' }],
      egressBytes: firmware.sizeBytes,
    });
  });

  test('a firmware that does not exist, or an id that is none', async () => {
    const devices = [(await webhook.device()).id];
    const missing = await webhook.api('POST', '/api/deployments', { firmwareId: randomUUID(), devices });
    expect([missing.status, missing.body.code]).toEqual([404, 'not_found']);
    const invalid = await webhook.api('POST', '/api/deployments', { firmwareId: 'x', devices });
    expect([invalid.status, invalid.body.code]).toEqual([400, 'invalid_request']);
  });
});

describe('two copies on one database', () => {
  let other: TestWebhook;
  let otherDatabase: Awaited<ReturnType<TestDatabase['another']>>;
  beforeAll(async () => {
    otherDatabase = await database.another();
    other = await startTestWebhook(otherDatabase, { broker: webhook.broker, objects: webhook.objects });
  });
  afterAll(async () => {
    await other?.close();
    await otherDatabase?.close();
  });

  test('send every attempt once', async () => {
    const devices = await Promise.all(Array.from({ length: 40 }, (_, i) => online(i % 2 ? webhook : other)));
    const { id } = await webhook.deploy((await webhook.firmware()).id, ...devices);
    await until('all requests', () => devices.every((d) => d.requests().length > 0));
    await emptied(...devices);
    expect(devices.map((d) => d.requests().length)).toEqual(devices.map(() => 1));
    expect((await get(id)).counts.sent).toBe(40);
  });

  test('count a message once that comes to both at once, and ack it each time', async () => {
    const { device, id } = await requested();
    const twin = createDevice(other, device.id);
    const body = { id: randomUUID(), seq: [1, 1], deployment: id, attempt: 1, accepted: true };
    const answers = await Promise.all([
      device.send('firmware/download/request/ack', body),
      twin.send('firmware/download/request/ack', body),
    ]);
    expect(answers.map((a) => a.status)).toEqual([204, 204]);
    await until('both acks', () => webhook.broker.to(device.id, 'ack').length === 2);
    const { body: events } = await other.api('GET', `/api/deployments/${id}/targets/${device.id}/events`);
    expect(events.map((e: Json) => e.state)).toEqual(['sent', 'accepted']);
  });

  test('crossing groups of the same devices end, all of them', async () => {
    const devices = await Promise.all(Array.from({ length: 20 }, () => webhook.device()));
    const rounds = [1, 2, 3];
    const answers = await Promise.all(
      rounds.flatMap((n) => [
        ...devices.map((d) => d.boot('a'.repeat(64), [n, 0])),
        ...devices.toReversed().map((d) => createDevice(other, d.id).boot('b'.repeat(64), [n, 1])),
        ...devices.map((d) => d.connect(n)),
        ...devices.toReversed().map((d) => createDevice(other, d.id).connect(n)),
      ]),
    );
    expect(answers.filter((a) => a.status !== 204).map((a) => a.body)).toEqual([]);
  });

  test('what a copy held when it was killed is sent by the other when the lease ends, and not before', async () => {
    const killed = await startTestWebhook(database, { broker: webhook.broker });
    await killed.close();
    const device = await webhook.device();
    // The dying copy claims the row and never comes back from the broker.
    let claimed = () => {};
    const stuck = new Promise<void>((resolve) => {
      claimed = resolve;
    });
    webhook.broker.answer = () => ({ kind: 'failed', reason: 'not yet' });
    const dead = { ...deadContext(() => claimed()), wake() {} };
    await sendCommand(dead, everything, device.id, 'blink', undefined, 'me');
    await until('the row in the hands of the dying copy', async () => {
      // Never of a lease, which the dying copy may have taken since the last look.
      const isLeased = gt(outbox.sendAt, sql`now() + interval '20 seconds'`);
      await database.db
        .update(outbox)
        .set({ sendAt: new Date(Date.now() - 1) })
        .where(and(eq(outbox.deviceId, device.id), not(isLeased)));
      void send(deadContext(() => claimed())).catch(() => {});
      return Promise.race([stuck.then(() => true), new Promise<false>((r) => setTimeout(r, 50, false))]);
    });
    webhook.broker.answer = () => ({ kind: 'routed' });
    const [leased] = await rowsFor(device);
    expect(leased!.sendAt!.getTime()).toBeGreaterThan(Date.now() + 20_000);
    await requested();
    expect(webhook.broker.to(device.id)).toEqual([]);
    await database.db
      .update(outbox)
      .set({ sendAt: new Date(Date.now() - 1) })
      .where(eq(outbox.deviceId, device.id));
    await until('the command', () => webhook.broker.to(device.id, 'control/command').length === 1);
    await emptied(device);
  });

  function deadContext(onPublish: () => void): Json {
    const publishBulk = () => {
      onPublish();
      return new Promise(() => {});
    };
    return { db: database.db, objects: webhook.objects, broker: { publishBulk }, log() {} };
  }
});

// PGlite keeps no statistics.
if (database.kind === 'postgresql')
  test('the reports of a download touch no index', async () => {
    const counts = async () => {
      const [row] = await query<{ all: number; hot: number }>(
        database.db,
        sql`select n_tup_upd::int as all, n_tup_hot_upd::int as hot from pg_stat_user_tables where relname = 'targets'`,
      );
      return row!;
    };
    const updates = await Promise.all(Array.from({ length: 10 }, requested));
    await Promise.all(updates.map(({ device, id }) => device.accept(id)));
    const before = await counts();
    const reports = 35;
    for (let n = 1; n <= reports; n++) {
      const progress = {
        attempt: 1,
        stage: 'downloading',
        receivedBytes: n,
        totalBytes: 36,
        bytesPerSecond: 1,
      };
      await Promise.all(
        updates.map(({ device, id }) =>
          device.send('firmware/download/progress', { deployment: id, ...progress }),
        ),
      );
    }
    await until('the statistics', async () => (await counts()).all >= before.all + reports * updates.length);
    const after = await counts();
    expect((after.hot - before.hot) / (after.all - before.all)).toBeGreaterThan(0.75);
  });
