/** A fleet is brought a release by patch, on a Flota of its own: for the scenario and for the figure. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hardware, startFleet } from '../fleet/devices.ts';
import { openSubject } from '../fleet/subject.ts';
import { until } from '../primitives/until.ts';
import { deploy, type Rest, readDeployment, registerFirmware, unwrap } from '../rest.ts';
import { type Change, images } from './linker.ts';

const patienceMs = 600_000;

export interface DeltaRun {
  devices: number;
  imageBytes: number;
  /** Sent for the release, as the devices count them: those that take patches, and those that do not. */
  withPatches: { devices: number; bytes: number };
  without: { devices: number; bytes: number };
  applied: number;
  fellBack: number;
  savedBytes: number;
  powerCuts: number;
  state: string;
  /** How many attest the new image. */
  updated: number;
}

/** What came from the network for its newest deployment, as the device has counted; null until its result is here. */
async function readBytes(rest: Rest, id: string): Promise<number | null> {
  const answer = rest.api.devices[':id'].firmware_history.$get({ param: { id }, query: { limit: '1' } });
  return (await unwrap(answer)).items[0]!.receivedBytes;
}

async function sumBytes(rest: Rest, ids: string[]): Promise<{ devices: number; bytes: number }> {
  let bytes = 0;
  for (const id of ids)
    bytes += (await until(
      () => readBytes(rest, id),
      (it) => it !== null,
      patienceMs,
    ))!;
  return { devices: ids.length, bytes };
}

/** Of the devices every fifth takes no patches, as today; every third loses its power in the middle of it. */
export async function runDelta(
  { devices, sizeBytes, change, seed }: { devices: number; sizeBytes: number; change: Change; seed: number },
  say: (line: string) => void,
): Promise<DeltaRun> {
  const dir = mkdtempSync(join(tmpdir(), 'flota-delta-'));
  const system = await openSubject({ devices });
  const names = (kind: string, count: number) => Array.from({ length: count }, (_, i) => `${kind}-${i + 1}`);
  const oldCount = Math.floor(devices / 5);
  const options = {
    fsync: false,
    timing: { checkpointMs: 0 },
    limits: { chunkFloorBytes: 512, chunkStartBytes: 1024 },
  };
  const able = await startFleet(system, join(dir, 'able'), 0, {
    ...options,
    ids: names('able', devices - oldCount),
    patches: true,
  });
  const old = await startFleet(system, join(dir, 'old'), 0, {
    ...options,
    ids: names('old', oldCount),
  });
  try {
    const { rest } = system;
    const pair = images(change, seed, sizeBytes);
    const ids = [...able.ids, ...old.ids];
    const isOver = ({ state }: { state: string }) => ['completed', 'halted'].includes(state);
    let last = '';
    let state = '';
    let sha256 = '';
    let powerCuts = 0;
    for (const [i, version] of ['1.0.0', '2.0.0'].entries()) {
      say(`updating ${ids.length} devices to ${version}`);
      const firmware = await registerFirmware(rest, pair[i]!, { version, fileName: 'delta.bin', hardware });
      ({ sha256 } = firmware);
      ({ id: last } = await deploy(rest, { firmwareId: firmware.id, devices: ids }));
      if (version === '2.0.0') {
        for (const device of able.devices.filter((_, n) => n % 3 === 0)) {
          await until('a download', () => device.snapshot().receivedBytes > 0, patienceMs);
          device.powerCut();
          powerCuts++;
        }
      }
      ({ state } = await until(() => readDeployment(rest, last), isOver, patienceMs));
      if (state !== 'completed') throw new Error(`the update to ${version} ${state}`);
    }
    const withPatches = await sumBytes(rest, able.ids);
    const without = await sumBytes(rest, old.ids);
    const answer = rest.api.deployments[':id'].patches.$get({ param: { id: last } });
    const { applied, fellBack, savedBytes } = await unwrap(answer);
    const updated = [...able.devices, ...old.devices].filter(
      (it) => it.snapshot().running?.sha256 === sha256,
    ).length;
    return {
      ...{ devices: ids.length, imageBytes: pair[1].length, withPatches, without },
      ...{ applied, fellBack, savedBytes, powerCuts, state, updated },
    };
  } finally {
    await able.close();
    await old.close();
    await system.close();
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  }
}
