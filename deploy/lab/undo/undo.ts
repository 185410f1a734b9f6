/** A fleet is brought a newer image and back again by an undo, on a Flota of its own: for the scenario and for the figure. */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildFactoryImage, buildImage, factoryVersion } from '#firmware/virtual/image.ts';
import { Crews } from '../fleet/crews.ts';
import { hardware } from '../fleet/devices.ts';
import { enrolMany } from '../fleet/enrolment.ts';
import { toExperiment } from '../fleet/options.ts';
import { openSubject } from '../fleet/subject.ts';
import { until } from '../primitives/until.ts';
import { deploy, readDeployment, registerFirmware, unwrap } from '../rest.ts';

const patienceMs = 3_600_000;
/** Every so many devices lose their power in the middle of it. */
const cutEvery = 4;
const cutMs = 2_000;
const tellEveryMs = 5_000;

export interface UndoRun {
  devices: number;
  /** From the request to the last device's attested success. */
  seconds: number;
  /** Of the webhook and its database meanwhile, and how many processes wanted a core when it ended. */
  webhookSeconds: number;
  load: number;
  cores: number;
  /** Of images, as the devices count them. */
  imageBytes: number;
  powerCuts: number;
  state: string;
  succeeded: number;
  /** How many run the older image. */
  back: number;
}

/** What they leave the factory with is registered, as any image is: so one update makes a fleet that can be taken back. */
export async function runUndo(devices: number, seed: number, say: (line: string) => void): Promise<UndoRun> {
  const dir = mkdtempSync(join(tmpdir(), 'flota-undo-'));
  const system = await openSubject({ devices });
  const { rest } = system;
  const plan = { badImage: false, powerCut: null, night: null };
  const fleet = Array.from({ length: devices }, (_, i) => {
    const id = `device-${String(i + 1).padStart(5, '0')}`;
    return { id, name: id, dir: join(dir, id), plan };
  });
  const processes = cpus().length;
  let crews: Crews | null = null;
  let toldAt = 0;
  const tell = (what: string, n: number) => {
    if (Date.now() - toldAt < tellEveryMs) return;
    toldAt = Date.now();
    say(`${what}: ${n} of ${devices}`);
  };
  const ends = async (what: string, id: string) =>
    until(
      () => readDeployment(rest, id),
      ({ state, counts }) => {
        tell(what, counts.succeeded);
        return ['completed', 'halted'].includes(state);
      },
      patienceMs,
    );
  try {
    const register = (version: string, bytes: Buffer) =>
      registerFirmware(rest, bytes, { version, fileName: 'undo.bin', hardware });
    const older = await register(factoryVersion, buildFactoryImage());
    const newer = await register(
      '2.0.0',
      buildImage({ version: '2.0.0', sizeBytes: 4 * 1024, selfTest: 'pass', seed }),
    );
    await enrolMany(system, fleet, say);
    crews = await Crews.start(
      {
        ...{ devices: fleet, hardware, mqttUrl: system.mqttUrl, trust: system.trust },
        experiment: toExperiment({ devices: String(devices), seed: String(seed) }),
        signingKeys: system.signing.publicKeys as { keys: object[] },
      },
      processes,
    );
    // Whose first report has not come has nothing that is known to go back to.
    const q = `version = ${factoryVersion}`;
    await until(
      () => unwrap(rest.api.devices.$get({ query: { q, limit: '1', count: 'exact' } })),
      (found) => {
        const total = 'total' in found ? found.total : 0;
        tell('reported', total);
        return total === devices;
      },
      patienceMs,
    );
    const { id } = await deploy(rest, { firmwareId: newer.id, all: true });
    const updated = await ends('updated', id);
    if (updated.state !== 'completed' || updated.counts.succeeded !== devices)
      throw new Error(`the update ${updated.state}: ${updated.counts.succeeded} of ${devices}`);
    crews.tell({ do: 'measure' });
    say('undoing it');
    const [at, processor] = [Date.now(), process.cpuUsage()];
    const answer = rest.api.deployments[':id'].undo.$post({ param: { id }, json: {} });
    const { undo } = await unwrap(answer);
    crews.tell({ do: 'power', offMs: cutMs, every: cutEvery });
    const { state, counts } = await ends('back', undo.id);
    const seconds = (Date.now() - at) / 1000;
    const { user, system: kernel } = process.cpuUsage(processor);
    const { crashes } = crews;
    const { devices: reports } = await crews.stop();
    if (crashes.length > 0) throw new Error(crashes.join('; '));
    return {
      ...{ devices, seconds, state },
      webhookSeconds: (user + kernel) / 1e6,
      ...{ load: loadavg()[0]!, cores: cpus().length },
      imageBytes: reports.reduce((sum, { stats }) => sum + stats.receivedBytes, 0),
      powerCuts: sharesOf(devices, processes).reduce((sum, share) => sum + Math.ceil(share / cutEvery), 0),
      succeeded: counts.succeeded,
      back: reports.filter(({ running }) => running?.sha256 === older.sha256).length,
    };
  } finally {
    await crews?.stop();
    await system.close();
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** How many devices each process has. */
function sharesOf(devices: number, processes: number): number[] {
  return Array.from({ length: processes }, (_, i) => Math.ceil((devices - i) / processes));
}
