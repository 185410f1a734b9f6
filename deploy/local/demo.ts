/** The first deployment of `npm start`, made with the same three REST calls that the console makes. */
import { setTimeout as delay } from 'node:timers/promises';
import { buildImage } from '#firmware/virtual/image.ts';
import { hardware } from '../lab/fleet/devices.ts';
import {
  type Deployment,
  deploy,
  type Firmware,
  findFirmware,
  listTargets,
  type Rest,
  readDeployment,
  registerFirmware,
  type Target,
  unwrap,
} from '../lab/rest.ts';

const version = '1.0.0';
const fileName = 'flota-demo.bin';
const sizeBytes = 3 * 1024 * 1024;

/** Deploys the demo firmware to those of the devices that no demo deployment has yet; answers all demo deployments. */
export async function deployDemo(rest: Rest, devices: string[]): Promise<Deployment[]> {
  const firmware = (await findFirmware(rest, version)) ?? (await registerDemo(rest));
  const { deployments: earlier } = await unwrap(
    rest.api.firmware[':id'].$get({ param: { id: firmware.id } }),
  );
  const served = new Set<string>();
  for (const { id } of earlier) for (const target of await listTargets(rest, id)) served.add(target.device);
  const left = devices.filter((id) => !served.has(id));
  if (left.length === 0) return earlier;
  return [await deploy(rest, { firmwareId: firmware.id, devices: left }), ...earlier];
}

function registerDemo(rest: Rest): Promise<Firmware> {
  const image = buildImage({ version, sizeBytes, selfTest: 'pass', seed: 1 });
  return registerFirmware(rest, image, {
    version,
    fileName,
    releaseNote: 'The demo firmware of a first start.',
    name: 'Flota demo',
    hardware,
  });
}

/** Calls `show` until every deployment has ended, then answers how they ended. */
export async function watch(
  rest: Rest,
  ids: string[],
  show: (targets: Target[]) => void,
  signal: AbortSignal,
): Promise<Deployment[]> {
  for (;;) {
    const deployments = await Promise.all(ids.map((id) => readDeployment(rest, id)));
    const targets = (await Promise.all(ids.map((id) => listTargets(rest, id)))).flat();
    show(targets.sort((a, b) => (a.device < b.device ? -1 : 1)));
    if (signal.aborted || deployments.every((d) => d.state !== 'running')) return deployments;
    await delay(250, undefined, { signal }).catch(() => {});
  }
}
