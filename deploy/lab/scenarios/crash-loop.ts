import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildImage } from '#firmware/virtual/image.ts';
import { hardware, startFleet } from '../fleet/devices.ts';
import { openSubject } from '../fleet/subject.ts';
import { until } from '../primitives/until.ts';
import { deploy, listTargets, readDeployment, registerFirmware, unwrap } from '../rest.ts';
import type { Lab, Outcome, Scenario } from '../scenario.ts';

const [devices, patienceMs] = [12, 120_000];
const elf = 'c0de'.repeat(16);
const place = '0x420083f2';

export default {
  kind: 'rollout',
  title: 'A crash loop',
  about:
    'An image crashes before it is confirmed, again and again: its first report is there before any device has rolled back, all are one group, and the wave halts.',
  run,
} satisfies Scenario;

async function run({ createDisplay, name, seed }: Lab): Promise<Outcome> {
  const display = createDisplay(name);
  const dir = mkdtempSync(join(tmpdir(), 'flota-crash-'));
  const system = await openSubject();
  const fleet = await startFleet(system, dir, devices, { fsync: false });
  try {
    const { rest } = system;
    const [version, pc] = ['2.0.0', Number(place)];
    // It connects well before that, and the device gives it three boots.
    const crash = { afterMs: 4_000, reason: 'LoadProhibited', elf, pc, backtrace: [pc] };
    const image = { version, sizeBytes: 64 * 1024, selfTest: 'busy', crash, seed: seed ?? 1 } as const;
    const file = { version, fileName: 'loop.bin', hardware };
    const { id: firmwareId } = await registerFirmware(rest, buildImage(image), file);
    const policy = { waves: [{ count: 4 }, { percent: 100 }] };
    const { id } = await deploy(rest, { firmwareId, devices: fleet.ids, policy });
    const listGroups = async () => (await unwrap(rest.api.crashes.$get({ query: {} }))).items;
    const [first] = await until(listGroups, ({ length }) => length > 0, patienceMs);
    const before = (await listTargets(rest, id)).filter((target) => target.state === 'rolled_back').length;
    const isOver = (one: { state: string }) => one.state === 'halted' || one.state === 'completed';
    const { state, halted } = await until(() => readDeployment(rest, id), isOver, patienceMs);
    const groups = await until(listGroups, ([group]) => group!.devices === 4, patienceMs);
    const got = (await listTargets(rest, id)).filter((target) => target.attempt > 0).length;
    const isFound = groups.length === 1 && first!.elf === elf && first!.frames[0] === place;
    const good = isFound && before === 0 && state === 'halted' && got === 4;
    const { reports, devices: hit } = groups[0]!;
    const text = `${state}; first report with ${before} rolled back; ${reports} reports of ${hit} devices in ${groups.length} group; ${got} of ${devices} devices had got it`;
    return { good, text, report: { state, halted, before, groups, got, devices } };
  } finally {
    display.end();
    await fleet.close();
    await system.close();
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  }
}
