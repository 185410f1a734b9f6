import { randomUUID } from 'node:crypto';
import { and, eq } from 'drizzle-orm';
import { compactVerify, createLocalJWKSet } from 'jose';
import { describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { downloadRequestSchema, undoSchema } from '#emqx/protocol.ts';
import { components } from '../devices/table.ts';
import { apiToken, type Json, type TestDevice } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { deployments, targets } from './table.ts';

const { database, webhook } = await startSuite();

const undo = (id: string, body: object = {}) => webhook.api('POST', `/api/deployments/${id}/undo`, body);
const foresee = (id: string) => webhook.api('GET', `/api/deployments/${id}/undo`);
const get = async (id: string): Promise<Json> => (await webhook.api('GET', `/api/deployments/${id}`)).body;
const state = async (id: string, device: TestDevice) => (await webhook.target(id, device)).state;
const commandsOf = (device: TestDevice): Json[] => device.requests().map((sent) => sent.body);
const askedBy = (device: TestDevice, id: string) =>
  until(`the command of ${id}`, () => commandsOf(device).find((it) => it.deployment === id));

/** The device takes the deployment's image and says that it runs it. */
async function update(device: TestDevice, id: string, sha256: string, more: object = {}): Promise<void> {
  await askedBy(device, id);
  await device.accept(id);
  await device.result(id, sha256, 'succeeded', {
    running: { ...device.running(sha256), undo: true, ...more },
  });
  await until('the success', async () => (await state(id, device)) === 'succeeded');
}

/** A fleet that runs the older image, and was brought the newer one. */
async function updatedFleet(size: number, more: object = {}) {
  const hardware = `h${randomUUID().slice(0, 8)}`;
  const devices = await Promise.all(Array.from({ length: size }, () => webhook.device({ hardware })));
  for (const device of devices) await device.subscribe();
  const older = await webhook.firmware({ hardware });
  const newer = await webhook.firmware({ hardware });
  const ids: string[] = [];
  for (const image of [older, newer]) {
    const { id } = await webhook.deploy(image.id, ...devices);
    ids.push(id);
    for (const device of devices) await update(device, id, image.sha256, more);
  }
  return { devices, older, newer, first: ids[0]!, second: ids[1]! };
}

describe('an undo', () => {
  test('sends a signed order without a URL, and succeeds with the older digest', async () => {
    const { devices, older, newer, second } = await updatedFleet(2);
    expect((await foresee(second)).body).toMatchObject({
      firmware: { id: older.id },
      targets: 2,
      presence: { online: 2, sleeping: 0, neverSeen: 0 },
      excluded: [],
      egressBytes: 0,
    });
    const tagged = { authorization: `Bearer ${apiToken}`, 'if-match': '"0"' };
    const stale = await webhook.api('POST', `/api/deployments/${second}/undo`, {}, tagged);
    expect([stale.status, stale.body.code]).toEqual([412, 'changed_meanwhile']);
    const { status, body } = await undo(second);
    expect([status, body.others]).toEqual([201, null]);
    const request = await askedBy(devices[0]!, body.undo.id);
    expect(downloadRequestSchema.safeParse(request).error).toBeUndefined();
    expect([request.url, request.urlExpiresAt]).toEqual([undefined, undefined]);
    const { payload, protectedHeader } = await compactVerify(
      request.manifest,
      createLocalJWKSet(webhook.signer.keys),
    );
    expect(protectedHeader).toMatchObject({ alg: 'ES256', kid: 'test' });
    const order = undoSchema.parse(JSON.parse(new TextDecoder().decode(payload)));
    expect(order).toMatchObject({
      sha256: older.sha256,
      undo: { deployment: second, leaves: newer.sha256 },
    });
    expect(order.undo.expiresUnixMs).toBeGreaterThan(Date.now());
    for (const device of devices) await update(device, body.undo.id, older.sha256);
    await until('the end', async () => (await get(body.undo.id)).state === 'completed');
    expect(await get(body.undo.id)).toMatchObject({ undoes: second, undoneBy: null, total: 2 });
    expect((await webhook.target(body.undo.id, devices[0]!)).totalBytes).toBe(0);
    expect((await get(second)).undoneBy).toBe(body.undo.id);
  });

  test('stops the deployment that it undoes: nobody gets the bad image any more', async () => {
    const { devices, newer } = await updatedFleet(1);
    const hardware = newer.hardware as string;
    const sleeper = await webhook.device({ hardware });
    const bad = await webhook.firmware({ hardware });
    const { id } = await webhook.deploy(bad.id, devices[0]!, sleeper);
    await update(devices[0]!, id, bad.sha256);
    const { body } = await undo(id);
    expect((await get(id)).state).toBe('cancelled');
    expect(await state(id, sleeper)).toBe('cancelled');
    expect(body.undo.total).toBe(1);
  });

  test('tells beforehand who cannot, and gives them an ordinary deployment if asked', async () => {
    const { devices, older, newer, second } = await updatedFleet(4);
    const [able, mute, elsewhere, revoked] = devices as [TestDevice, TestDevice, TestDevice, TestDevice];
    const set = (device: TestDevice, values: object) =>
      database.db.update(components).set(values).where(eq(components.deviceId, device.id));
    await set(mute, { undo: false });
    await set(revoked, { securityVersion: 9 });
    // A later deployment has begun to write where the older image was, and failed.
    const third = await webhook.firmware({ hardware: newer.hardware as string });
    const { id: later } = await webhook.deploy(third.id, elsewhere);
    await askedBy(elsewhere, later);
    await elsewhere.result(later, newer.sha256, 'failed', {
      error: { code: 'self_test_failed' },
      running: { ...elsewhere.running(newer.sha256), undo: true },
    });
    await until('the failure', async () => (await state(later, elsewhere)) === 'failed');

    const { body: dry } = await foresee(second);
    expect(dry.targets).toBe(1);
    expect(Object.fromEntries(dry.excluded.map((it: Json) => [it.device, it.reason]))).toEqual({
      [mute.id]: 'no_undo',
      [elsewhere.id]: 'slot_overwritten',
      [revoked.id]: 'downgrade',
    });
    expect(dry.excludedCounts).toEqual({
      no_undo: 1,
      other_previous: 0,
      downgrade: 1,
      slot_overwritten: 1,
    });
    const { body } = await undo(second, { others: true });
    expect((await askedBy(able, body.undo.id)).url).toBeUndefined();
    expect((await askedBy(mute, body.others.id)).url).toMatch(/^https?:/);
    expect([body.others.total, body.others.firmware.id]).toEqual([2, older.id]);
    expect(await webhook.target(body.undo.id, revoked)).toMatchObject({
      state: 'skipped',
      error: { code: 'downgrade' },
    });
    expect(await webhook.target(body.others.id, revoked)).toBeUndefined();
  });

  test('waits for those that are at work on what it undoes, and takes them back as well', async () => {
    const { devices, older, newer } = await updatedFleet(4);
    const [done, late, stopped, silent] = devices as [TestDevice, TestDevice, TestDevice, TestDevice];
    const bad = await webhook.firmware({ hardware: newer.hardware as string });
    const { id } = await webhook.deploy(bad.id, ...devices);
    await update(done, id, bad.sha256);
    for (const device of [late, stopped, silent]) {
      await askedBy(device, id);
      await device.accept(id);
    }
    await until('all at work', async () => (await get(id)).counts.accepted === 3);
    await database.db
      .update(targets)
      .set({ state: 'timed_out', deadlineAt: null, errorCode: 'timed_out' })
      .where(and(eq(targets.deploymentId, id), eq(targets.deviceId, silent.id)));
    expect((await foresee(id)).body).toMatchObject({ firmware: { id: newer.id }, targets: 4 });
    const { body } = await undo(id);
    expect([older.id, body.undo.total, await state(id, late)]).toEqual([older.id, 4, 'cancelling']);
    // One boots the image already, one has stopped in time.
    const answer = { deployment: id, attempt: 1 };
    const error = { code: 'too_late' };
    await late.critical('firmware/download/cancel/ack', { ...answer, cancelled: false, error });
    await stopped.critical('firmware/download/cancel/ack', { ...answer, cancelled: true });
    expect(commandsOf(late).some((it) => it.deployment === body.undo.id)).toBe(false);
    await late.result(id, bad.sha256);
    for (const device of devices) await update(device, body.undo.id, newer.sha256);
    await until('the end', async () => (await get(body.undo.id)).state === 'completed');
    expect((await get(body.undo.id)).counts.succeeded).toBe(4);
  });

  test('is all or nothing, also with what the others get', async () => {
    const { devices, newer, second } = await updatedFleet(3);
    const [, mute] = devices as [TestDevice, TestDevice, TestDevice];
    const set = (values: object) =>
      database.db.update(components).set(values).where(eq(components.deviceId, mute.id));
    await set({ undo: false });
    // It was registered as other hardware since: no image is for it.
    await webhook.api('PATCH', `/api/devices/${mute.id}`, { hardware: 'toaster' });
    const refused = await undo(second, { others: true });
    expect([refused.status, refused.body.code]).toEqual([422, 'no_targets']);
    await until('the end', async () => (await get(second)).state === 'completed');
    expect((await get(second)).undoneBy).toBeNull();
    await webhook.api('PATCH', `/api/devices/${mute.id}`, { hardware: newer.hardware });
    // A control group as large as these few would be no reason: there is none.
    const health = { control: { count: 2 }, minDevices: 5, signals: [{ kind: 'restarts' }] };
    const { status, body } = await undo(second, { others: true, policy: { health } });
    expect([status, body.undo.total, body.others.total]).toEqual([201, 2, 1]);
  });

  test('leaves out a device that ran something else before', async () => {
    const { devices, older, newer, first, second } = await updatedFleet(2);
    const stranger = await webhook.device({ hardware: newer.hardware as string });
    await stranger.subscribe();
    await stranger.boot('e'.repeat(64), [1, 0]);
    const { id } = await webhook.deploy(newer.id, stranger);
    await update(stranger, id, newer.sha256);
    expect([first, older.id, devices.length]).toEqual([first, older.id, 2]);
    const { body, status } = await foresee(id);
    // It alone was in this one, and what it ran is not registered.
    expect([status, body.firmware, body.targets]).toEqual([200, null, 0]);
    expect((await foresee(second)).body.targets).toBe(2);
  });

  test('knows what a device ran before, whatever came between the making of its target and the update', async () => {
    const { devices, older, newer } = await updatedFleet(2);
    const [plain, between] = devices as [TestDevice, TestDevice];
    const bad = await webhook.firmware({ hardware: newer.hardware as string });
    const { id } = await webhook.deploy(bad.id, ...devices);
    await update(plain, id, bad.sha256);
    // Flashed by hand before the command arrives; its slots hold that and the bad image afterwards.
    await askedBy(between, id);
    await between.boot(older.sha256, [7, 0]);
    const running = { ...between.running(bad.sha256), undo: true };
    await between.result(id, bad.sha256, 'succeeded', { seq: [7, 1], running });
    await until('the end', async () => (await get(id)).state === 'completed');
    const { body } = await foresee(id);
    expect(body).toMatchObject({ firmware: { id: newer.id }, targets: 1 });
    expect(body.excluded).toEqual([{ device: between.id, reason: 'other_previous' }]);
  });

  test('is refused where there is nothing to go back to, and twice, and of itself', async () => {
    const { devices, older, first, second } = await updatedFleet(1);
    const code = async (answer: Promise<{ status: number; body: Json }>) => {
      const { status, body } = await answer;
      return [status, body.code];
    };
    expect(await code(undo(first))).toEqual([422, 'no_targets']);
    expect(await code(undo(randomUUID()))).toEqual([404, 'not_found']);
    expect(await code(undo(second, { others: 'yes' }))).toEqual([400, 'invalid_request']);
    const { body } = await undo(second);
    expect(await code(undo(second))).toEqual([409, 'deployment_undone']);
    expect(await code(foresee(second))).toEqual([409, 'deployment_undone']);
    expect(await code(webhook.api('POST', `/api/deployments/${second}/retry_failed`))).toEqual([
      409,
      'deployment_undone',
    ]);
    await update(devices[0]!, body.undo.id, older.sha256);
    expect(await code(undo(body.undo.id))).toEqual([422, 'not_undoable']);
  });

  test('that was cancelled may be asked for again; two at once are one', async () => {
    const { second } = await updatedFleet(1);
    const { body } = await undo(second);
    await webhook.api('POST', `/api/deployments/${body.undo.id}/cancel`);
    const answers = await Promise.all([undo(second), undo(second)]);
    // The device that holds the first command is still the older one's to stop; it takes the next.
    expect(answers.map((it) => it.status).sort()).toEqual([201, 409]);
    const mine = await database.db.select().from(deployments).where(eq(deployments.undoes, second));
    expect(mine.filter((it) => it.state !== 'cancelled').length).toBe(1);
  });

  test('is opened by waves and halted by failures like any other', async () => {
    const { devices, second } = await updatedFleet(3);
    const policy = { waves: [{ count: 1 }, { percent: 100 }] };
    const { body } = await undo(second, { policy });
    const asked = await until('the first wave', () =>
      devices.find((it) => commandsOf(it).some((r) => r.deployment === body.undo.id)),
    );
    await asked.critical('firmware/download/request/ack', {
      deployment: body.undo.id,
      attempt: 1,
      accepted: false,
      error: { code: 'undo_refused' },
    });
    await until('the halt', async () => (await get(body.undo.id)).state === 'halted');
    expect((await webhook.target(body.undo.id, asked)).error.code).toBe('undo_refused');
    const others = devices.filter((it) => it !== asked);
    expect(others.flatMap((it) => commandsOf(it)).some((r) => r.deployment === body.undo.id)).toBe(false);
  });
});
