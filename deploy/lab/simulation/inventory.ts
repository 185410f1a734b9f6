/** What is there before anybody deploys: devices in regions, and firmware. */
import { buildFactoryImage, buildImage, factoryVersion } from '#firmware/virtual/image.ts';
import type { Context } from '#webhook/context.ts';
import * as devices from '#webhook/devices/devices.ts';
import * as places from '#webhook/devices/places.ts';
import * as firmware from '#webhook/firmware/firmware.ts';
import { actor, hardware, type Stage } from './stage.ts';
import type { SimulatedStore } from './store.ts';

const eastern = 'Etc/GMT-3';

export interface Regions {
  home: string;
  east: string;
}

export async function createRegions({ db }: Context): Promise<Regions> {
  const home = await places.create(db, 'regions', { name: 'Home' }, actor);
  const east = await places.create(db, 'regions', { name: 'East', timeZone: eastern }, actor);
  return { home: home.id, east: east.id };
}

export async function register(
  { db }: Context,
  { random: r, timeZones }: Stage,
  ids: string[],
  regions: Regions,
): Promise<void> {
  for (const id of ids) {
    const place = r.chance(0.3) ? regions.east : regions.home;
    // Some have no place yet, and come to one later.
    const region = r.chance(0.15) ? undefined : place;
    await devices.create(db, { id, hardware, name: id, region }, actor);
    if (region === regions.east) timeZones.set(id, eastern);
  }
}

/** The n-th version; about one in seven does not pass its own test. Its securityVersion is not above `securest`. */
export async function makeFirmware(
  context: Context,
  { random: r }: Stage,
  store: SimulatedStore,
  n: number,
  securest: number,
): Promise<firmware.Firmware> {
  const version = `1.${n}.0`;
  const bytes = buildImage({
    version,
    sizeBytes: r.int(20, 160) * 1024,
    selfTest: r.chance(0.15) ? 'fail' : 'pass',
    seed: r.int(1, 1_000_000),
  });
  const s3Path = await upload(context, store, version, bytes);
  return registerFirmware(context, version, s3Path, r.int(0, securest));
}

/** What devices have had from the beginning: to it they can be taken back. */
export async function makeFactoryFirmware(
  context: Context,
  store: SimulatedStore,
): Promise<firmware.Firmware> {
  const s3Path = await upload(context, store, factoryVersion, buildFactoryImage());
  return registerFirmware(context, factoryVersion, s3Path, 0);
}

async function upload(context: Context, store: SimulatedStore, version: string, bytes: Buffer) {
  const { s3Path } = await firmware.presignUpload(context, { version, fileName: 'app.bin' });
  store.objects.set(s3Path, bytes);
  return s3Path;
}

function registerFirmware(context: Context, version: string, s3Path: string, securityVersion: number) {
  const file = { version, s3Path, fileName: 'app.bin', releaseNote: '', name: 'app.bin' };
  const metadata = { ...file, author: actor, hardware, component: 'main', securityVersion };
  return firmware.register(context, metadata, actor);
}
