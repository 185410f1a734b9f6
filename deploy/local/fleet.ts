/** The virtual devices of `npm start`: registered, enrolled and switched on, in two regions and three divisions. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { VirtualDevice } from '#firmware/virtual/device.ts';
import { startDevice } from '#firmware/virtual/device.ts';
import { enroll } from '#firmware/virtual/identity.ts';
import type { DeviceOptions } from '#firmware/virtual/options.ts';
import { ShapedNetwork } from '#firmware/virtual/shaping.ts';
import { type Rest, RestError, unwrap } from './rest.ts';
import type { Stack } from './stack.ts';

export const hardware = 'esp32-s3';
export const regionNames = ['Busan', 'Seoul'];
export const divisionNames = ['Logistics', 'Retail', 'Workshop'];
const enrolledAtOnce = 4;

export interface Fleet {
  devices: VirtualDevice[];
  /** null: as fast as at the start. Without `bytesPerSecond` at the start there is nothing to slow down. */
  setSpeed(id: string, bytesPerSecond: number | null): void;
  close(): Promise<void>;
}

/** `dataDir` keeps each device's flash under `devices/<id>`; a second start finds the same devices again. */
export async function startFleet(
  stack: Stack,
  rest: Rest,
  dataDir: string,
  count: number,
  options: Partial<DeviceOptions> & { bytesPerSecond?: number } = {},
): Promise<Fleet> {
  const { bytesPerSecond, ...deviceOptions } = options;
  const regions = await ensurePlaces(rest.api.regions, regionNames);
  const divisions = await ensurePlaces(rest.api.divisions, divisionNames);
  const ids = Array.from({ length: count }, (_, i) => `device-${String(i + 1).padStart(3, '0')}`);
  const waiting = ids.map((id, i) => ({ id, region: regions[i % 2]!, division: divisions[i % 3]! }));
  const devices: VirtualDevice[] = [];
  const links = new Map<string, ShapedNetwork>();
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const dir = join(dataDir, 'devices', next.id);
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      await ensureDevice(rest, next.id, next.region, next.division);
      await ensureEnrolled(stack, rest, dir, next.id);
      const network = bytesPerSecond ? new ShapedNetwork({ bytesPerSecond }) : undefined;
      if (network) links.set(next.id, network);
      devices.push(
        startDevice({
          id: next.id,
          dir,
          hardware,
          mqttUrl: stack.mqttUrl,
          trust: stack.trust,
          signingKeys: stack.signingKeys as { keys: object[] },
          ...(network && { network }),
          ...deviceOptions,
        }),
      );
    }
  };
  const close = async () => {
    await Promise.all(devices.map((device) => device.close()));
  };
  try {
    await Promise.all(Array.from({ length: enrolledAtOnce }, work));
  } catch (error) {
    await close();
    throw error;
  }
  const setSpeed = (id: string, rate: number | null) => links.get(id)?.setRate(rate ?? bytesPerSecond!);
  return { devices, setSpeed, close };
}

export async function ensurePlaces(
  endpoint: Rest['api']['regions'] | Rest['api']['divisions'],
  names: string[],
): Promise<string[]> {
  const known = new Map((await unwrap(endpoint.$get())).map((place) => [place.name, place.id]));
  const ids: string[] = [];
  for (const name of names) {
    ids.push(known.get(name) ?? (await unwrap(endpoint.$post({ json: { name } }))).id);
  }
  return ids;
}

export async function ensureDevice(rest: Rest, id: string, region: string, division: string): Promise<void> {
  try {
    await unwrap(rest.api.devices.$post({ json: { id, hardware, region, division } }));
  } catch (error) {
    if (!(error instanceof RestError) || error.code !== 'device_exists') throw error;
  }
}

async function ensureEnrolled(stack: Stack, rest: Rest, dir: string, id: string): Promise<void> {
  await enroll({ dir, id, url: stack.url, token: await createToken(rest, id) });
}

/** Good for one certificate of this device, for ten minutes. */
export async function createToken(rest: Rest, id: string): Promise<string> {
  const { token } = await unwrap(
    rest.api.certificates.tokens.$post({ json: { profile: 'device', commonName: id, lifetimeMs: 600_000 } }),
  );
  return token;
}
