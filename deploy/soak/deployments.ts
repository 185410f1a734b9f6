/** Deployments that follow each other, by the REST calls that an operator's tools make, each repeated until it went through. */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { buildImage } from '#firmware/virtual/image.ts';
import { RestError, unwrap } from '../local/rest.ts';
import { hardware } from './fleet.ts';
import type { System } from './system.ts';

const sizeBytes = 192 * 1024;

/** What is away is asked again; a refusal is a fault of ours. */
export async function insist<T>(ask: () => Promise<T>, limitMs = 120_000): Promise<T> {
  for (const deadline = Date.now() + limitMs; ; await delay(300)) {
    try {
      return await ask();
    } catch (error) {
      const refused = error instanceof RestError && error.status < 500 && error.status !== 429;
      if (refused || Date.now() > deadline) throw error;
    }
  }
}

/** A new version to all devices; answers the deployment's id. */
export async function deployNext(system: System, number: number, devices: string[]): Promise<string> {
  const { rest, signing } = system;
  const [version, fileName] = [`1.0.${number}`, 'soak.bin'];
  const image = buildImage({ version, sizeBytes, selfTest: 'pass', seed: number });
  const firmware = await insist(async () => {
    const found = await findFirmware(system, version);
    if (found) return found;
    const upload = await unwrap(rest.api.s3.presigned_upload.$post({ json: { version, fileName } }));
    const put = await fetch(upload.url, {
      method: 'PUT',
      headers: upload.headers,
      body: new Uint8Array(image),
    });
    if (!put.ok) throw new Error(`the store answers ${put.status}`);
    const json = { version, fileName, s3Path: upload.s3Path, releaseNote: '', hardware };
    return unwrap(rest.api.firmwares.metadata.$post({ json }));
  });
  const manifest = await signing.sign({
    component: 'main',
    hardware,
    version,
    securityVersion: 0,
    fileName,
    size: image.length,
    sha256: createHash('sha256').update(image).digest('hex'),
  });
  const param = { id: firmware.id };
  await insist(() => unwrap(rest.api.firmware[':id'].manifest.$put({ param, json: { manifest } })));
  return insist(async () => {
    // An answer that was lost must not become a second deployment.
    const { deployments } = await unwrap(rest.api.firmware[':id'].$get({ param }));
    if (deployments[0]) return deployments[0].id;
    return (await unwrap(rest.api.deployments.$post({ json: { firmwareId: firmware.id, devices } }))).id;
  });
}

async function findFirmware(system: System, search: string) {
  const list = await unwrap(system.rest.api.firmwares.metadata.$get({ query: { search } }));
  return (Array.isArray(list) ? list : list.items).find((one) => one.version === search);
}

/** Waits until it has ended, at most so long. */
export async function watchDeployment(system: System, id: string, until: () => boolean): Promise<boolean> {
  for (; !until(); await delay(500)) {
    const { state } = await insist(() => unwrap(system.rest.api.deployments[':id'].$get({ param: { id } })));
    if (state !== 'running') return true;
  }
  return false;
}
