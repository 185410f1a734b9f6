import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildImage } from '#firmware/virtual/image.ts';
import { hardware, startFleet } from '../fleet/devices.ts';
import { openSubject } from '../fleet/subject.ts';
import { until } from '../primitives/until.ts';
import { deploy, listTargets, readDeployment, registerFirmware, unwrap } from '../rest.ts';
import type { Lab, Outcome, Scenario } from '../scenario.ts';

const [devices, patienceMs] = [40, 300_000];
const policy = {
  waves: [{ percent: 40 }, { percent: 100 }],
  health: {
    ...{ control: { percent: 25 }, minDevices: 8, windowMs: 2_000, minObservedMs: 240_000 },
    signals: [{ kind: 'heap' as const }, { kind: 'restarts' as const }],
  },
};

export default {
  kind: 'rollout',
  title: 'A slow leak',
  about:
    'An image passes its self-test and then loses heap all the time: the gate halts it in its first wave.',
  run,
} satisfies Scenario;

async function run({ createDisplay, name, seed }: Lab): Promise<Outcome> {
  const display = createDisplay(name);
  const dir = mkdtempSync(join(tmpdir(), 'flota-leak-'));
  const system = await openSubject();
  const fleet = await startFleet(system, dir, devices, { fsync: false, timing: { telemetryMs: 1_000 } });
  try {
    const { rest } = system;
    const measured = async (id: string) =>
      (await unwrap(rest.api.devices[':id'].status.$get({ param: { id } }))).latest.length > 0;
    for (const id of fleet.ids) await until(`a report of ${id}`, () => measured(id), patienceMs);
    const image = { version: '2.0.0', sizeBytes: 64 * 1024, selfTest: 'pass', leakBytesPerS: 2_048 } as const;
    const bytes = buildImage({ ...image, seed: seed ?? 1 });
    const firmware = await registerFirmware(rest, bytes, {
      version: image.version,
      fileName: 'leak.bin',
      hardware,
    });
    const { id } = await deploy(rest, { firmwareId: firmware.id, devices: fleet.ids, policy });
    const isOver = ({ state }: { state: string }) => state === 'halted' || state === 'completed';
    const { state, halted, waves } = await until(() => readDeployment(rest, id), isOver, patienceMs);
    const got = (await listTargets(rest, id)).filter((target) => target.attempt > 0).length;
    const good = state === 'halted' && halted?.reason === 'health_worse' && got <= waves[0]!.total;
    const text = `${state}: ${halted?.message ?? 'for no reason'}; ${got} of ${devices} devices had got it`;
    return { good, text, report: { state, halted, got, devices } };
  } finally {
    display.end();
    await fleet.close();
    await system.close();
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  }
}
