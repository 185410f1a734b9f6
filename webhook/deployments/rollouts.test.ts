import { randomUUID } from 'node:crypto';
import { eq, sql } from 'drizzle-orm';
import { afterAll, describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { query } from '../db/query.ts';
import { type Json, startTestWebhook, type TestDevice } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { deployments, targets } from './table.ts';

/** Two copies throughout: everything here must hold with both at work. */
const { database, webhook } = await startSuite();
const otherDatabase = await database.another();
afterAll(() => otherDatabase.close());
const other = await startTestWebhook(otherDatabase, { broker: webhook.broker, objects: webhook.objects });
afterAll(() => other.close());

const get = async (id: string) => (await webhook.api('GET', `/api/deployments/${id}`)).body;
const operate = (id: string, what: string) => webhook.api('POST', `/api/deployments/${id}/${what}`);
const is = (id: string, state: string) =>
  until(`${state} deployment`, async () => {
    const deployment = await get(id);
    return deployment.state === state ? deployment : null;
  });

async function online(count: number): Promise<TestDevice[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const device = await webhook.device();
      await device.connect();
      await device.subscribe();
      return device;
    }),
  );
}

async function deploy(devices: TestDevice[], policy: object, more: object = {}) {
  const firmware = await webhook.firmware();
  const { status, body } = await webhook.api('POST', '/api/deployments', {
    firmwareId: firmware.id,
    devices: devices.map((d) => d.id),
    policy,
    ...more,
  });
  expect(status).toBe(201);
  return { id: body.id as string, firmware, deployment: body };
}
const asked = (devices: TestDevice[]) => devices.filter((d) => d.requests().length > 0);
const askedFor = (count: number, devices: TestDevice[]) =>
  until(`${count} requests`, () => asked(devices).length === count);

/** Whatever the dispatchers want to do about it now, they have done. */
async function settled(id: string): Promise<Json> {
  await database.db.update(deployments).set({ nextLookAt: sql`now()` }).where(eq(deployments.id, id));
  await until('a look', async () => {
    const [row] = await database.db.select().from(deployments).where(eq(deployments.id, id));
    return row!.nextLookAt === null || row!.nextLookAt.getTime() > Date.now() + 1_000;
  });
  return get(id);
}
const later = (id: string, change: ReturnType<typeof sql>) =>
  database.db.execute(sql`update deployments set memory = ${change}, next_look_at = now() where id = ${id}`);
const expire = (id: string, column: 'deadline_at' | 'next_attempt_at') =>
  database.db.execute(
    sql`update targets set ${sql.raw(column)} = now() - interval '1 s' where deployment_id = ${id} and ${sql.raw(column)} is not null`,
  );

const staged = { waves: [{ count: 1 }, { percent: 50 }, { percent: 100 }], successPercent: 100 };

describe('waves', () => {
  test('open one after the other as devices attest success, and say how each went', async () => {
    const devices = await online(6);
    const { id, firmware } = await deploy(devices, staged);
    for (const [wave, end] of [1, 3, 6].entries()) {
      await askedFor(end, devices);
      const now = await settled(id);
      expect(asked(devices)).toHaveLength(end);
      expect(now.waves.map((w: Json) => w.total)).toEqual([1, 2, 3]);
      expect(now.waves[wave].state).toBe('open');
      const fresh = [];
      for (const d of asked(devices)) {
        if ((await webhook.target(id, d)).state === 'sent') fresh.push(d);
      }
      for (const device of fresh) await device.result(id, firmware.sha256);
    }
    const done = await is(id, 'completed');
    expect(done.waves.map((w: Json) => [w.state, w.succeeded])).toEqual([
      ['passed', 1],
      ['passed', 2],
      ['passed', 3],
    ]);
  });

  test('the next one waits for the soak', async () => {
    const devices = await online(3);
    const { id, firmware } = await deploy(devices, { ...staged, soakMs: 3_600_000 });
    await askedFor(1, devices);
    await asked(devices)[0]!.result(id, firmware.sha256);
    const soaking = await until('the soak', async () => {
      const now = await get(id);
      return now.waves[0].state === 'soaking' ? now : null;
    });
    expect(Date.parse(soaking.waves[0].soakUntil)).toBeGreaterThan(Date.now() + 3_500_000);
    await settled(id);
    expect(asked(devices)).toHaveLength(1);
    await later(id, sql`jsonb_set(memory, '{soakSince}', '1')`);
    await askedFor(2, devices);
  });
});

describe('a halt', () => {
  test('on failures starts nothing more until an operator resumes, who forgives them', async () => {
    const devices = await online(4);
    const { id } = await deploy(devices, staged);
    await askedFor(1, devices);
    const [canary] = asked(devices);
    await canary!.result(id, '0'.repeat(64), 'rolled_back', { error: { code: 'self_test_failed' } });
    const halted = await is(id, 'halted');
    expect(halted.halted).toMatchObject({ reason: 'failures', wave: 0 });
    await settled(id);
    expect(asked(devices)).toHaveLength(1);
    const resumed = await operate(id, 'resume');
    expect([resumed.status, resumed.body.state, resumed.body.halted]).toEqual([202, 'running', null]);
    await askedFor(2, devices);
  });

  test('on silence: the device that was told and says nothing more', async () => {
    const devices = await online(4);
    const { id } = await deploy(devices, staged);
    await askedFor(1, devices);
    await expire(id, 'deadline_at');
    const halted = await is(id, 'halted');
    expect(halted.halted).toMatchObject({ reason: 'silence', wave: 0 });
    await expire(id, 'next_attempt_at');
    await settled(id);
    expect(asked(devices)[0]!.requests()).toHaveLength(1);
    expect(asked(devices)).toHaveLength(1);
  });

  test('when the time of the gate is over and what it lacks was tried and has gone', async () => {
    const devices = await online(3);
    const waves = [{ count: 2 }, { percent: 100 }];
    const { id, firmware } = await deploy(devices, { waves, successPercent: 100, silencePercent: 100 });
    await askedFor(2, devices);
    const [good, gone] = asked(devices) as [TestDevice, TestDevice];
    await good.result(id, firmware.sha256);
    await gone.disconnect();
    await expire(id, 'deadline_at');
    await until('the end of the try', async () => (await webhook.target(id, gone)).state === 'pending');
    expect((await settled(id)).state).toBe('running');
    await later(id, sql`jsonb_set(memory, '{waveOpenedAt}', '1')`);
    expect((await is(id, 'halted')).halted).toMatchObject({ reason: 'gate_missed' });
    expect(asked(devices)).toHaveLength(2);
  });

  test('can be cancelled', async () => {
    const devices = await online(2);
    const { id } = await deploy(devices, staged);
    await askedFor(1, devices);
    await asked(devices)[0]!.result(id, '0'.repeat(64));
    await is(id, 'halted');
    expect((await operate(id, 'cancel')).body).toMatchObject({
      state: 'cancelled',
      counts: { failed: 1, cancelled: 1 },
    });
    const again = await operate(id, 'resume');
    expect([again.status, again.body.code]).toEqual([409, 'deployment_finished']);
  });
});

describe('operators', () => {
  test('pause: nothing starts, what is under way goes on; resume: the rest starts', async () => {
    const devices = await online(4);
    const { id, firmware } = await deploy(devices, { ratePerMinute: 2 });
    await askedFor(2, devices);
    expect((await operate(id, 'pause')).body.state).toBe('paused');
    await later(id, sql`jsonb_set(memory, '{recent}', '[]')`);
    for (const device of asked(devices)) await device.result(id, firmware.sha256);
    const paused = await settled(id);
    expect(paused).toMatchObject({ state: 'paused', counts: { succeeded: 2, pending: 2 } });
    expect(asked(devices)).toHaveLength(2);
    expect((await operate(id, 'resume')).body.state).toBe('running');
    await askedFor(4, devices);
  });

  test('retry what failed: new attempts after a deployment has completed', async () => {
    const devices = await online(2);
    const { id, firmware } = await deploy(devices, { failurePercent: 100 });
    await askedFor(2, devices);
    const [bad, good] = devices as [TestDevice, TestDevice];
    await bad.result(id, '0'.repeat(64), 'rolled_back', { error: { code: 'boot_failed' } });
    await good.result(id, firmware.sha256);
    await is(id, 'completed');
    const retried = await operate(id, 'retry_failed');
    expect([retried.status, retried.body.state, retried.body.finishedAt]).toEqual([202, 'running', null]);
    await until('a second attempt', () => bad.requests().some((r) => r.body.attempt === 2));
    await bad.result(id, firmware.sha256, 'succeeded', { attempt: 2 });
    expect((await is(id, 'completed')).counts).toMatchObject({ succeeded: 2, failed: 0 });
    expect(good.requests()).toHaveLength(1);
  });

  test('a device retried gets all its attempts again', async () => {
    const devices = await online(1);
    const [device] = devices as [TestDevice];
    const { id } = await deploy(devices, { maxAttempts: 1 });
    await askedFor(1, devices);
    const fails = (attempt: number) =>
      device.result(id, '0'.repeat(64), 'failed', { attempt, error: { code: 'download_failed' } });
    await fails(1);
    await is(id, 'completed');
    await operate(id, 'retry_failed');
    await until('a second attempt', () => device.requests().length === 2);
    await fails(2);
    expect((await is(id, 'completed')).counts.failed).toBe(1);
  });
});

test('the rate holds for both copies together', async () => {
  const devices = await online(9);
  const { id } = await deploy(devices, { ratePerMinute: 4 });
  await askedFor(4, devices);
  await settled(id);
  expect(asked(devices)).toHaveLength(4);
  await later(
    id,
    sql`jsonb_set(memory, '{recent}', (select jsonb_agg(jsonb_set(r, '{at}', '1')) from jsonb_array_elements(memory->'recent') r))`,
  );
  await askedFor(8, devices);
  await settled(id);
  expect(asked(devices)).toHaveLength(8);
});

test('a scheduled deployment chooses its devices and starts at its time', async () => {
  const devices = await online(2);
  const startAt = new Date(Date.now() + 3_600_000).toISOString();
  const { id, deployment, firmware } = await deploy(devices, {}, { startAt });
  expect(deployment).toMatchObject({ state: 'scheduled', startAt, total: 0, waves: [] });
  expect((await settled(id)).state).toBe('scheduled');
  const [early] = devices as [TestDevice];
  await early.boot(firmware.sha256, [1, 1]);
  await database.db
    .update(deployments)
    .set({ startAt: sql`now()`, nextLookAt: sql`now()` })
    .where(eq(deployments.id, id));
  await askedFor(1, devices);
  expect(await get(id)).toMatchObject({ state: 'running', total: 2, counts: { skipped: 1, sent: 1 } });
});

test('devices that run it, or something no firmware may replace, are skipped as such', async () => {
  const [current, ahead, due] = (await online(3)) as [TestDevice, TestDevice, TestDevice];
  const firmware = await webhook.firmware();
  await current.boot(firmware.sha256, [1, 0]);
  await ahead.boot('a'.repeat(64), [1, 0]);
  await database.db.execute(sql`update components set security_version = 7 where device_id = ${ahead.id}`);
  const request = { firmwareId: firmware.id, devices: [current.id, ahead.id, due.id] };
  const dry = await webhook.api('POST', '/api/deployments/dry_run', request);
  expect(dry.body).toMatchObject({
    targets: 1,
    excludedCounts: { up_to_date: 1, downgrade: 1 },
    waves: [{ total: 1, devices: [due.id] }],
    egressBytes: firmware.sizeBytes,
  });
  const { body } = await webhook.api('POST', '/api/deployments', request);
  expect(body).toMatchObject({ total: 3, counts: { skipped: 2 }, waves: [{ total: 1 }] });
  expect(await webhook.target(body.id, current)).toMatchObject({
    state: 'skipped',
    error: { code: 'up_to_date' },
  });
  expect((await webhook.target(body.id, ahead)).error.code).toBe('downgrade');
  await askedFor(1, [due]);
  expect(asked([current, ahead])).toEqual([]);
  const timeline = await webhook.api('GET', `/api/deployments/${body.id}/targets/${current.id}/events`);
  expect(timeline.body).toMatchObject([{ event: 'start', state: 'skipped', detail: 'up_to_date' }]);
  const again = await webhook.api('POST', '/api/deployments/dry_run', request);
  expect(again.body.underWay).toEqual([{ device: due.id, deployment: body.id }]);
});

test('the dry run says how many of the devices are online, sleeping or never seen', async () => {
  const [awake, asleep] = (await online(2)) as [TestDevice, TestDevice];
  await asleep.disconnect();
  const unseen = await webhook.device();
  const { id: firmwareId } = await webhook.firmware();
  const devices = [awake.id, asleep.id, unseen.id];
  const dry = await webhook.api('POST', '/api/deployments/dry_run', { firmwareId, devices });
  expect(dry.body.presence).toEqual({ online: 1, sleeping: 1, neverSeen: 1 });
});

test('the way back from a bad image is what its devices had before, for those that run it', async () => {
  const devices = (await online(3)) as [TestDevice, TestDevice, TestDevice];
  const [good, bad] = [await webhook.firmware(), await webhook.firmware()];
  const back = async (id: string) => (await webhook.api('GET', `/api/deployments/${id}/previous`)).body;
  const { id: first } = await webhook.deploy(good.id, ...devices);
  expect(await back(first)).toEqual({ firmware: null, devices: [], total: 0 });
  for (const [i, device] of devices.entries()) {
    await device.accept(first);
    await device.result(first, good.sha256);
    await device.boot(good.sha256, [2, i]);
  }
  const { id: second } = await webhook.deploy(bad.id, ...devices);
  const firmware = expect.objectContaining({ id: good.id, version: good.version });
  expect(await back(second)).toEqual({ firmware, devices: [], total: 0 });
  await devices[1].boot(bad.sha256, [3, 0]);
  expect(await back(second)).toEqual({ firmware, devices: [devices[1].id], total: 1 });
});

test('when all devices are up to date, the deployment completes with all of them skipped', async () => {
  const devices = await online(1);
  const firmware = await webhook.firmware();
  await devices[0]!.boot(firmware.sha256, [1, 0]);
  const { body } = await webhook.api('POST', '/api/deployments', {
    firmwareId: firmware.id,
    devices: [devices[0]!.id],
  });
  expect((await is(body.id, 'completed')).counts.skipped).toBe(1);
});

test('a paused deployment that is resumed does not undo a newer one', async () => {
  const devices = await online(1);
  const [device] = devices as [TestDevice];
  const { id } = await deploy(devices, {}, { startAt: new Date(Date.now() + 3_600_000).toISOString() });
  await operate(id, 'pause');
  const newer = await deploy(devices, {});
  await askedFor(1, devices);
  await device.result(newer.id, newer.firmware.sha256);
  await is(newer.id, 'completed');
  await database.db.update(deployments).set({ startAt: sql`now()` }).where(eq(deployments.id, id));
  await operate(id, 'resume');
  expect((await is(id, 'completed')).counts.skipped).toBe(1);
  expect(device.requests()).toHaveLength(1);
});

test.each([
  ['a last wave that leaves some out', { waves: [{ count: 1 }, { percent: 50 }] }, 'waves.1'],
  ['waves that go back', { waves: [{ percent: 50 }, { percent: 5 }, { percent: 100 }] }, 'waves.1'],
  ['a wave of neither count nor percent', { waves: [{}, { percent: 100 }] }, 'waves.0'],
  ['a rate of nothing', { ratePerMinute: 0 }, 'ratePerMinute'],
  ['more than everybody', { failurePercent: 101 }, 'failurePercent'],
  ['a word that it does not know', { wave: [] }, 'wave'],
])('a policy with %s is refused', async (_, policy, path) => {
  const firmware = await webhook.firmware();
  const { status, body } = await webhook.api('POST', '/api/deployments', { firmwareId: firmware.id, policy });
  expect([status, body.code]).toEqual([400, 'invalid_request']);
  expect(body.errors.map((e: Json) => e.path)).toContain(`policy.${path}`);
  expect(await database.db.$count(targets, eq(targets.deploymentId, firmware.id))).toBe(0);
});

test('the first look starts 500, so that they leave while the next are started, and each further one as many as are started', async () => {
  const region = randomUUID();
  await database.db.execute(sql`insert into regions (id, name) values (${region}, 'a crowd')`);
  await database.db.execute(sql`
    insert into devices (id, name, region_id, hardware, online, reachable)
    select 'crowd-' || n, 'Crowd ' || n, ${region}::uuid, 'esp32-s3', true, true from generate_series(1, 1700) n`);
  const { id: firmwareId } = await webhook.firmware();
  const { body } = await webhook.api('POST', '/api/deployments', { firmwareId, regions: [region] });
  await until('all are sent', async () => (await get(body.id)).counts.sent === 1_700);
  // What one look starts is one transaction, and nobody answers.
  const looks = await query<{ n: number }>(
    database.db,
    sql`select count(*)::int as n from targets where deployment_id = ${body.id} group by xmin::text order by xmin::text::bigint`,
  );
  expect(looks.map(({ n }) => n)).toEqual([500, 500, 700]);
});
