/** The first deployment of `npm start`, made with the same three REST calls that the console makes. */
import type { InferResponseType } from 'hono/client';
import { buildImage } from '#firmware/virtual/image.ts';
import { hardware } from './fleet.ts';
import { type Rest, unwrap } from './rest.ts';

export type Deployment = InferResponseType<Rest['api']['deployments']['$post'], 201>;
type TargetPage = InferResponseType<Rest['api']['deployments'][':id']['targets']['$get'], 200>;
export type Target = TargetPage['items'][number];
type Firmware = InferResponseType<Rest['api']['firmwares']['metadata']['$post'], 201>;

const version = '1.0.0';
const fileName = 'flota-demo.bin';
const sizeBytes = 3 * 1024 * 1024;

/** Deploys the demo firmware to those of the devices that no demo deployment has yet; answers all demo deployments. */
export async function deployDemo(rest: Rest, devices: string[]): Promise<Deployment[]> {
  const firmware = (await findFirmware(rest)) ?? (await registerFirmware(rest));
  const { deployments: earlier } = await unwrap(
    rest.api.firmware[':id'].$get({ param: { id: firmware.id } }),
  );
  const served = new Set<string>();
  for (const { id } of earlier) for (const target of await listTargets(rest, id)) served.add(target.device);
  const left = devices.filter((id) => !served.has(id));
  if (left.length === 0) return earlier;
  const started = await unwrap(
    rest.api.deployments.$post({ json: { firmwareId: firmware.id, devices: left } }),
  );
  return [started, ...earlier];
}

async function findFirmware(rest: Rest): Promise<Firmware | undefined> {
  const list = await unwrap(rest.api.firmwares.metadata.$get({ query: { search: version } }));
  const firmwares = Array.isArray(list) ? list : list.items;
  return firmwares.find((f) => f.version === version && f.fileName === fileName);
}

function registerFirmware(rest: Rest): Promise<Firmware> {
  const image = buildImage({ version, sizeBytes, selfTest: 'pass', seed: 1 });
  return registerImage(rest, image, {
    version,
    fileName,
    releaseNote: 'The demo firmware of a first start.',
    name: 'Flota demo',
    hardware,
  });
}

/** The three steps of a registration. */
export async function registerImage(
  rest: Rest,
  image: Uint8Array,
  fields: {
    version: string;
    fileName: string;
    releaseNote: string;
    name: string;
    hardware: string;
    component?: string;
  },
): Promise<Firmware> {
  const { version, fileName } = fields;
  const upload = await unwrap(rest.api.s3.presigned_upload.$post({ json: { version, fileName } }));
  const put = await fetch(upload.url, {
    method: 'PUT',
    headers: upload.headers,
    body: new Uint8Array(image),
  });
  if (!put.ok) throw new Error(`the file store refused the firmware: ${put.status} ${await put.text()}`);
  return unwrap(rest.api.firmwares.metadata.$post({ json: { ...fields, s3Path: upload.s3Path } }));
}

const pageSize = 1000;

export async function listTargets(rest: Rest, deploymentId: string): Promise<Target[]> {
  const targets: Target[] = [];
  for (let total = 1; targets.length < total; ) {
    const query = { limit: String(pageSize), offset: String(targets.length) };
    const page = await unwrap(
      rest.api.deployments[':id'].targets.$get({ param: { id: deploymentId }, query }),
    );
    targets.push(...page.items);
    total = page.items.length ? page.total : 0;
  }
  return targets;
}

/** Calls `show` until every deployment has ended, then answers how they ended. */
export async function watch(
  rest: Rest,
  ids: string[],
  show: (targets: Target[]) => void,
  signal: AbortSignal,
): Promise<Deployment[]> {
  for (;;) {
    const deployments = await Promise.all(
      ids.map((id) => unwrap(rest.api.deployments[':id'].$get({ param: { id } }))),
    );
    const targets = (await Promise.all(ids.map((id) => listTargets(rest, id)))).flat();
    show(targets.sort((a, b) => (a.device < b.device ? -1 : 1)));
    if (signal.aborted || deployments.every((d) => d.state !== 'running')) return deployments;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, 250);
      function done() {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      }
      signal.addEventListener('abort', done);
    });
  }
}
