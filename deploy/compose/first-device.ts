/** A virtual device: registered, enrolled with a one-time token, and switched on. A second start goes on with the same identity. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startDevice } from '#firmware/virtual/device.ts';
import { enroll } from '#firmware/virtual/identity.ts';
import { createRest, RestError, unwrap } from '../lab/rest.ts';
import { readJob } from './config.ts';
import { runJob } from './job.ts';

const id = 'first-device';
const hardware = 'esp32-s3';

await runJob(['dir'], async ({ dir }) => {
  const config = readJob('device');
  const rest = createRest(config.FLOTA_URL, config.FLOTA_API_TOKEN);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  if (!existsSync(join(dir, 'identity.json'))) {
    await unwrap(rest.api.devices.$post({ json: { id, hardware } })).catch((error: unknown) => {
      if (!(error instanceof RestError) || error.code !== 'device_exists') throw error;
    });
    const json = { profile: 'device' as const, commonName: id, lifetimeMs: 600_000 };
    const { token } = await unwrap(rest.api.certificates.tokens.$post({ json }));
    await enroll({ dir, id, url: config.FLOTA_URL, token });
    process.stdout.write(`${id} has its certificate\n`);
  }
  const device = startDevice({
    id,
    dir,
    hardware,
    mqttUrl: config.FLOTA_MQTT_URL,
    trust: config.CA_ROOT,
    signingKeys: JSON.parse(config.FIRMWARE_KEYS),
  });
  device.on('online', () =>
    process.stdout.write(`${id} is online: deploy something to it, Ctrl-C switches it off\n`),
  );
  device.on('offline', (why) => process.stdout.write(`${id} is offline: ${why}\n`));
  device.on('result', (result) => process.stdout.write(`${id}: ${JSON.stringify(result)}\n`));
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void device.close().then(() => process.exit(0)));
});
