import { expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { sha256Of } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';

const { webhook } = await startSuite({ mqttUrl: 'mqtts://mqtt.example:8883' });

test('whoever looks is told addresses, root and signing keys, and no secret', async () => {
  const { status, body } = await webhook.api('GET', '/api/surroundings');
  expect(status).toBe(200);
  expect(body).toMatchObject({
    url: webhook.copy.url,
    mqttUrl: 'mqtts://mqtt.example:8883',
    root: 'root',
    signs: true,
  });
  expect(body.keys.keys[0]).toMatchObject({ kty: 'EC', crv: 'P-256', kid: expect.any(String) });
  expect(JSON.stringify(body.keys)).not.toContain('"d"');
});

test('a new device is told step by step how far it has come', async () => {
  const firmware = await webhook.firmware();
  const device = await webhook.device();
  const steps = async () =>
    Object.entries((await webhook.api('GET', `/api/devices/${device.id}/first_steps`)).body)
      .filter(([, done]) => done)
      .map(([name]) => name);
  expect(await steps()).toEqual([]);
  await device.connect();
  expect(await steps()).toEqual(['connected']);
  await device.subscribe();
  expect(await steps()).toEqual(['connected', 'subscribed']);
  await device.send('log', { level: 'info', message: 'hello' });
  expect(await steps()).toEqual(['connected', 'subscribed', 'message']);
  const { id } = await webhook.deploy(firmware.id, device);
  await until('the request', () => device.requests()[0]);
  await device.accept(id);
  await device.result(id, firmware.sha256);
  await expect.poll(steps).toEqual(['connected', 'subscribed', 'message', 'update']);
  await device.boot(sha256Of('other'), [9, 0]);
  expect((await webhook.api('GET', '/api/devices/nobody/first_steps')).status).toBe(404);
});
