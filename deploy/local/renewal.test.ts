import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../lab/primitives/until.ts';
import { unwrap } from '../lab/rest.ts';
import { startTestSystem, type TestSystem } from '../lab/testing.ts';

let system: TestSystem;
beforeAll(async () => {
  // Certificates that are due as soon as they are issued.
  system = await startTestSystem({ deviceCertificateSeconds: 20 });
});
afterAll(() => system?.close());

it('a device whose certificate nears its end gets a new one over MQTT and goes on with it', async () => {
  const fleet = await system.start(1, {
    timing: { renewCheckMs: 200, renewRetryMs: 2_000, reconnectMinMs: 50 },
  });
  const device = fleet.devices[0]!;
  const first = await until(
    () => device.snapshot().certificate?.serial,
    (serial) => serial !== undefined,
  );
  await until(
    () => device.snapshot().certificate?.serial,
    (serial) => serial !== undefined && serial !== first,
  );
  // The broker vouches for the new one: the webhook has seen the device connect with it.
  const seen = await until(
    () => unwrap(system.rest.api.devices[':id'].$get({ param: { id: device.id } })),
    (d) => d.certificate !== null && d.certificate.serial !== first && d.online,
  );
  expect(seen.certificate!.serial).toMatch(/^[0-9A-F]{32}$/);
});
