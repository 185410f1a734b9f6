import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../primitives/until.ts';
import { unwrap } from '../rest.ts';
import { type Bed, openBed } from './bed.ts';

let bed: Bed;
beforeAll(async () => {
  // Certificates that are due as soon as they are issued.
  bed = await openBed({ deviceCertificateSeconds: 100 });
});
afterAll(() => bed?.close());

it('a device whose certificate nears its end gets a new one over MQTT and goes on with it', async () => {
  const fleet = await bed.start(1, {
    ids: [bed.idOf('renewing')],
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
    () => unwrap(bed.rest.api.devices[':id'].$get({ param: { id: device.id } })),
    (d) => d.certificate !== null && d.certificate.serial !== first && d.online,
  );
  expect(seen.certificate!.serial).toMatch(/^[0-9A-F]{32}$/);
});
