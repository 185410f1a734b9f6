/** A fleet is brought a newer image and back again by an undo, on a Flota of its own: for the scenario and for the figure. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildImage } from '#firmware/virtual/image.ts';
import { hardware, startFleet } from '../fleet/devices.ts';
import { openSubject } from '../fleet/subject.ts';
import { until } from '../primitives/until.ts';
import { deploy, type Rest, readDeployment, registerFirmware, unwrap } from '../rest.ts';

const patienceMs = 900_000;
/** Every so many devices lose their power in the middle of it. */
const cutEvery = 4;

export interface UndoRun {
  devices: number;
  /** From the request to the last device's attested success. */
  seconds: number;
  /** Of images, as the devices count them. */
  imageBytes: number;
  powerCuts: number;
  state: string;
  succeeded: number;
  /** How many attest the older image. */
  back: number;
}

/** What came from the network for its newest deployment, as the device has counted; null until its result is here. */
async function readBytes(rest: Rest, id: string): Promise<number | null> {
  const answer = rest.api.devices[':id'].firmware_history.$get({ param: { id }, query: { limit: '1' } });
  return (await unwrap(answer)).items[0]!.receivedBytes;
}

/** The boot may be heard of before the result, which brings the figures. */
async function countBytes(rest: Rest, ids: string[]): Promise<number> {
  let bytes = 0;
  for (const id of ids) {
    const received = await until(
      () => readBytes(rest, id),
      (it) => it !== null,
      patienceMs,
    );
    bytes += received!;
  }
  return bytes;
}

export async function runUndo(devices: number, seed: number, say: (line: string) => void): Promise<UndoRun> {
  const dir = mkdtempSync(join(tmpdir(), 'flota-undo-'));
  const system = await openSubject({ devices });
  const fleet = await startFleet(system, dir, devices, { fsync: false });
  try {
    const { rest } = system;
    const images: { sha256: string }[] = [];
    const ends = async (id: string) => {
      const isOver = ({ state }: { state: string }) => ['completed', 'halted'].includes(state);
      return until(() => readDeployment(rest, id), isOver, patienceMs);
    };
    let last = '';
    for (const version of ['1.0.0', '2.0.0']) {
      say(`updating ${devices} devices to ${version}`);
      const bytes = buildImage({ version, sizeBytes: 64 * 1024, selfTest: 'pass', seed });
      const fields = { version, fileName: 'undo.bin', hardware };
      const firmware = await registerFirmware(rest, bytes, fields);
      images.push(firmware);
      ({ id: last } = await deploy(rest, { firmwareId: firmware.id, devices: fleet.ids }));
      const { state } = await ends(last);
      if (state !== 'completed') throw new Error(`the update to ${version} ${state}`);
    }
    say('undoing it');
    const at = Date.now();
    const answer = rest.api.deployments[':id'].undo.$post({ param: { id: last }, json: {} });
    const { undo } = await unwrap(answer);
    let powerCuts = 0;
    for (const device of fleet.devices.filter((_, i) => i % cutEvery === 0)) {
      device.powerCut();
      powerCuts++;
    }
    const { state, counts } = await ends(undo.id);
    const seconds = (Date.now() - at) / 1000;
    const back = fleet.devices.filter((it) => it.snapshot().running?.sha256 === images[0]!.sha256).length;
    const imageBytes = await countBytes(rest, fleet.ids);
    return { devices, seconds, imageBytes, powerCuts, state, succeeded: counts.succeeded, back };
  } finally {
    await fleet.close();
    await system.close();
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  }
}
