/** Virtual devices in this process: registered, enrolled and switched on. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startDevice, type VirtualDevice } from '#firmware/virtual/device.ts';
import { enroll } from '#firmware/virtual/identity.ts';
import type { DeviceOptions } from '#firmware/virtual/options.ts';
import { ShapedNetwork } from '#firmware/virtual/shaping.ts';
import { createToken, ensureDevice, ensurePlaces } from '../rest.ts';
import type { System } from '../system/system.ts';

export const hardware = 'esp32-s3';
export const regionNames = ['Busan', 'Seoul'];
export const divisionNames = ['Logistics', 'Retail', 'Workshop'];
const enrolledAtOnce = 8;

export interface Fleet {
  ids: string[];
  /** Those that are switched on. */
  devices: VirtualDevice[];
  /** null: as fast as at the start. Without `bytesPerSecond` at the start there is nothing to slow down. */
  setSpeed(id: string, bytesPerSecond: number | null): void;
  /** Keeps its flash, as a device that is switched off does. */
  switchOff(id: string): Promise<void>;
  switchOn(id: string): void;
  close(): Promise<void>;
}

export interface FleetOptions extends Partial<Omit<DeviceOptions, 'id' | 'dir' | 'network'>> {
  /** Default: `device-001` and on. */
  ids?: string[];
  bytesPerSecond?: number;
}

/** `dataDir` keeps each device's flash under `devices/<id>`; a second start finds the same devices again. */
export async function startFleet(
  system: System,
  dataDir: string,
  count: number,
  { ids: given, bytesPerSecond, ...more }: FleetOptions = {},
): Promise<Fleet> {
  const { rest } = system;
  const regions = await ensurePlaces(rest.api.regions, regionNames);
  const divisions = await ensurePlaces(rest.api.divisions, divisionNames);
  const ids = given ?? Array.from({ length: count }, (_, i) => `device-${String(i + 1).padStart(3, '0')}`);
  const options = new Map<string, DeviceOptions & { network?: ShapedNetwork }>();
  const waiting = ids.map((id, i) => ({
    id,
    hardware,
    region: regions[i % 2]!,
    division: divisions[i % 3]!,
  }));
  const devices: VirtualDevice[] = [];
  const switchOn = (id: string) => {
    if (!devices.some((device) => device.id === id)) devices.push(startDevice(options.get(id)!));
  };
  const enrol = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const { id } = next;
      const dir = join(dataDir, 'devices', id);
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      await ensureDevice(rest, next);
      await enroll({
        dir,
        id,
        url: system.url,
        token: await createToken(rest, id),
        fsync: more.fsync ?? true,
      });
      const { mqttUrl, trust } = system;
      const signingKeys = system.signing.publicKeys as { keys: object[] };
      const network = bytesPerSecond ? new ShapedNetwork({ bytesPerSecond }) : undefined;
      options.set(id, {
        id,
        dir,
        hardware,
        mqttUrl,
        trust,
        signingKeys,
        ...(network && { network }),
        ...more,
      });
      switchOn(id);
    }
  };
  const fleet: Fleet = {
    ids,
    devices,
    setSpeed: (id, rate) => options.get(id)?.network?.setRate(rate ?? bytesPerSecond!),
    async switchOff(id) {
      const at = devices.findIndex((device) => device.id === id);
      if (at >= 0) await devices.splice(at, 1)[0]!.close();
    },
    switchOn,
    async close() {
      await Promise.all(devices.splice(0).map((device) => device.close()));
    },
  };
  try {
    await Promise.all(Array.from({ length: enrolledAtOnce }, enrol));
    devices.sort((a, b) => (a.id < b.id ? -1 : 1));
    return fleet;
  } catch (error) {
    await fleet.close();
    throw error;
  }
}
