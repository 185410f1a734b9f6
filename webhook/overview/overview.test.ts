import { expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { createInspector } from '#emqx/inspect.ts';
import { type Json, sha256Of, type TestDevice } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';

const { webhook } = await startSuite({
  inspector: createInspector({ url: 'http://127.0.0.1:1', key: 'k', secret: 's' }),
  dashboardUrl: 'https://emqx.example',
});
/** What was read a moment ago may be told again. */
const overviewWhere = (what: string, holds: (body: Json) => boolean): Promise<Json> =>
  until(what, async () => {
    const { body } = await webhook.api('GET', '/api/overview');
    return holds(body) && body;
  });

/** A device that is there, has the command and has said so. */
async function busy(deploy: (...devices: TestDevice[]) => Promise<{ id: string }>, count: number) {
  const devices = await Promise.all(Array.from({ length: count }, () => webhook.device()));
  await Promise.all(
    devices.map(async (device) => {
      await device.connect();
      await device.subscribe();
    }),
  );
  const { id } = await deploy(...devices);
  for (const device of devices) {
    await until('the request', () => device.requests().length > 0);
    await device.accept(id);
  }
  return { id, devices };
}

test('an empty fleet has zeros, and no rate where nothing has been measured', async () => {
  const { body } = await webhook.api('GET', '/api/overview');
  expect(body.devices).toEqual({
    total: 0,
    online: 0,
    sleeping: 0,
    neverSeen: 0,
    failing: 0,
    degraded: 0,
    drifted: 0,
  });
  expect(body.updates).toMatchObject({ ended: 0, succeeded: 0, meanDownloadMs: null, interrupted: 0 });
  expect([body.versions.items, body.halted, body.failing, body.deadLetters.total]).toEqual([[], [], [], 0]);
});

test('figures come from updates that have ended: success, download time, resumed, rolled back', async () => {
  const firmware = await webhook.firmware({ content: 'good' });
  const { id, devices } = await busy((...all) => webhook.deploy(firmware.id, ...all), 3);
  const [straight, broken, rolled] = devices as [TestDevice, TestDevice, TestDevice];
  const stats = { downloadMs: 2000, resumes: 0, receivedBytes: 4, redownloadedBytes: 0 };
  await straight.result(id, firmware.sha256, 'succeeded', { stats });
  await broken.result(id, firmware.sha256, 'succeeded', {
    stats: { ...stats, downloadMs: 4000, resumes: 2 },
  });
  await rolled.result(id, sha256Of('before'), 'rolled_back', { error: { code: 'self_test_failed' } });
  const body = await overviewWhere('the results', (now) => now.updates.ended === 3);
  expect(body.updates).toEqual({
    ended: 3,
    succeeded: 2,
    meanDownloadMs: 3000,
    interrupted: 1,
    resumed: 1,
    rolledBack: 1,
    lost: 0,
  });
  // One of three is more than the gate lets through.
  expect([...body.halted, ...body.failing].map((d: { id: string }) => d.id)).toEqual([id]);
  expect(body.devices.total).toBe(3);
});

test('versions are counted by what devices attest, with the firmware that it is', async () => {
  const { body } = await webhook.api('GET', '/api/overview');
  const good = body.versions.items.find((one: { firmware: string | null }) => one.firmware !== null);
  expect(good).toMatchObject({ component: 'main', sha256: sha256Of('good'), devices: 2 });
  const total = body.versions.items.reduce((sum: number, one: { devices: number }) => sum + one.devices, 0);
  expect(total + body.versions.others).toBe(3);
});

test('a device that attests another image than its last update left there has drifted, until it is back', async () => {
  const firmware = await webhook.firmware({ content: 'meant' });
  const { id, devices } = await busy((...all) => webhook.deploy(firmware.id, ...all), 1);
  const [device] = devices as [TestDevice];
  await device.result(id, firmware.sha256);
  await overviewWhere('the update', (now) => now.updates.succeeded === 3 && now.devices.drifted === 0);
  await device.boot(sha256Of('somebody flashed this by hand'), [2, 0]);
  await overviewWhere('the drift', (now) => now.devices.drifted === 1);
  const drifted = async () => (await webhook.api('GET', '/api/devices?q=drifted%20%3D%20yes')).body;
  expect(await drifted()).toMatchObject([
    {
      id: device.id,
      running: [{ expected: { version: firmware.version, sha256: firmware.sha256 } }],
    },
  ]);
  await device.boot(firmware.sha256, [3, 0]);
  await overviewWhere('its end', (now) => now.devices.drifted === 0);
  expect(await drifted()).toEqual([]);
});

test('what waits for a second person is called to attention, the oldest first', async () => {
  await webhook.api('PUT', '/api/approval_rules', { rules: [{ hardware: null, aboveDevices: 0 }] });
  const firmware = await webhook.firmware();
  const device = await webhook.device();
  const made = [await webhook.deploy(firmware.id, device), await webhook.deploy(firmware.id, device)];
  const { waiting } = await overviewWhere('both', (now) => now.deployments.waiting === 2);
  const { version, name } = firmware;
  expect(waiting).toEqual(
    made.map(({ id, createdAt: since }) => ({ id, firmware: name, version, author: 'api-token', since })),
  );
  for (const { id } of made) await webhook.api('POST', `/api/deployments/${id}/cancel`);
  await overviewWhere('none', ({ waiting, deployments }) => waiting.length + deployments.waiting === 0);
  await webhook.api('PUT', '/api/approval_rules', { rules: [] });
});

test('a dead letter and an unwell device are called to attention', async () => {
  await webhook.event({ event: 'message', clientid: 'nobody', topic: 'devices/nobody/log', payload: '{' });
  const device = await webhook.device();
  await device.critical('status/health', {
    state: 'failing',
    running: [device.running(sha256Of('x'))],
    boot: { count: 1, reason: 'watchdog' },
  });
  const body = await overviewWhere('the unwell device', (now) => now.devices.failing === 1);
  expect(body.deadLetters).toEqual({ total: 1, latestAt: expect.stringMatching(/Z$/) });
});

test('each device is online, sleeping or never seen; what says nothing of what it runs is counted', async () => {
  const before = (await webhook.api('GET', '/api/overview')).body;
  const [awake, asleep] = [await webhook.device(), await webhook.device(), await webhook.device()];
  await awake.connect();
  await asleep.connect();
  await asleep.disconnect();
  const { devices, versions } = await overviewWhere(
    'the devices',
    (now) => now.devices.total === before.devices.total + 3,
  );
  expect(devices.sleeping).toBe(before.devices.sleeping + 1);
  expect(devices.neverSeen).toBe(before.devices.neverSeen + 1);
  expect(devices.online + devices.sleeping + devices.neverSeen).toBe(devices.total);
  expect(versions.unreported).toBe(before.versions.unreported + 3);
});

test('a broker that is away is told with its reason, and never as an error of ours', async () => {
  const { status, body } = await webhook.api('GET', '/api/broker');
  expect(status).toBe(200);
  expect(body).toMatchObject({
    state: 'away',
    code: 'broker_unreachable',
    dashboardUrl: 'https://emqx.example',
    reason: expect.stringContaining('127.0.0.1:1'),
  });
});

test('nothing here has control over devices: that is for `npm start`', async () => {
  expect((await webhook.api('GET', '/api/show')).status).toBe(404);
  expect((await webhook.api('GET', '/api/me')).body).not.toHaveProperty('show');
});
