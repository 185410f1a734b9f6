/** Devices that are updated and come and go, and devices that only talk, whose every message is counted. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { issueKeyPair } from '#ca/key-pair.ts';
import { startDevice, type VirtualDevice } from '#firmware/virtual/device.ts';
import { enroll } from '#firmware/virtual/identity.ts';
import type { DeviceOptions } from '#firmware/virtual/options.ts';
import { ShapedNetwork } from '#firmware/virtual/shaping.ts';
import { unwrap } from '../local/rest.ts';
import { type LightDevice, startLightDevice } from '../outage/light-device.ts';
import type { System } from './system.ts';

export const hardware = 'esp32-s3';
const timing = {
  reconnectMinMs: 200,
  reconnectMaxMs: 3_000,
  connectMs: 8_000,
  resendMinMs: 2_000,
  resendMaxMs: 10_000,
  retryMinMs: 200,
  retryMaxMs: 3_000,
  urlRefreshMinMs: 1_000,
  urlRefreshMaxMs: 5_000,
  stallMs: 5_000,
  selfTestMs: 120_000,
};

export interface Fleet {
  ids: string[];
  talkers: LightDevice[];
  /** Those that are switched on. */
  on(): VirtualDevice[];
  /** Something happens to one of them: off for a while, a power cut, a broken network. */
  disturb(random: () => number): Promise<void>;
  /** Switches on all. */
  allOn(): void;
  close(): Promise<void>;
}

export async function startFleet(
  system: System,
  dir: string,
  counts: { devices: number; talkers: number },
): Promise<Fleet> {
  const ids = Array.from({ length: counts.devices }, (_, i) => `soak-${i}`);
  const options = new Map<string, DeviceOptions>();
  const devices = new Map<string, VirtualDevice>();
  const talkers: LightDevice[] = [];
  const { rest, mqttUrl, trust } = system;
  for (const id of ids) {
    const own = join(dir, 'devices', id);
    mkdirSync(own, { recursive: true, mode: 0o700 });
    await unwrap(rest.api.devices.$post({ json: { id, hardware } }));
    const json = { profile: 'device' as const, commonName: id, lifetimeMs: 600_000 };
    const { token } = await unwrap(rest.api.certificates.tokens.$post({ json }));
    await enroll({ dir: own, id, url: system.url, token });
    options.set(id, {
      id,
      dir: own,
      hardware,
      mqttUrl,
      trust,
      signingKeys: system.signing.publicKeys as { keys: object[] },
      network: new ShapedNetwork({ bytesPerSecond: 128 * 1024 }),
      timing,
      fsync: false,
    });
  }
  for (let i = 0; i < counts.talkers; i++) {
    const id = `talker-${i}`;
    await unwrap(rest.api.devices.$post({ json: { id, hardware } }));
    const pair = await issueKeyPair(system.authority, { profile: 'device', commonName: id });
    talkers.push(startLightDevice({ id, pair, mqttUrl, trust, timing }));
  }
  const switchOn = (id: string) => {
    if (!devices.has(id)) devices.set(id, startDevice(options.get(id)!));
  };
  for (const id of ids) switchOn(id);
  return {
    ids,
    talkers,
    on: () => [...devices.values()],
    async disturb(random) {
      const id = ids[Math.floor(random() * ids.length)]!;
      const device = devices.get(id);
      if (!device) return switchOn(id);
      const kind = random();
      if (kind < 0.4) device.powerCut(500 + random() * 5_000);
      else if (kind < 0.7) device.cutNetwork(500 + random() * 5_000);
      else {
        devices.delete(id);
        await device.close();
      }
    },
    allOn: () => ids.forEach(switchOn),
    async close() {
      await Promise.all([
        ...[...devices.values()].map((device) => device.close()),
        ...talkers.map((t) => t.close()),
      ]);
    },
  };
}
