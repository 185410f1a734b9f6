import { buildImage } from '#firmware/virtual/image.ts';
import { hardware } from '../fleet/devices.ts';
import { deploy, findFirmware, insist, registerFirmware, unwrap } from '../rest.ts';
import type { System } from '../system/system.ts';

const sizeBytes = 192 * 1024;

/** A new version to all of these devices, as an operator's tools do it: each call is repeated until it went through. Returns the deployment's id. */
export async function deployNext(system: System, number: number, devices: string[]): Promise<string> {
  const { rest } = system;
  const version = `1.0.${number}`;
  const image = buildImage({ version, sizeBytes, selfTest: 'pass', seed: number });
  const signing = system.signsItself ? undefined : system.signing;
  const firmware = await insist(async () => {
    const found = await findFirmware(rest, version);
    if (found && (found.signed || !signing)) return found;
    return registerFirmware(rest, image, { version, fileName: 'lab.bin', hardware }, signing, found);
  });
  return insist(async () => {
    // An answer that was lost must not become a second deployment.
    const { deployments } = await unwrap(rest.api.firmware[':id'].$get({ param: { id: firmware.id } }));
    return deployments[0]?.id ?? (await deploy(rest, { firmwareId: firmware.id, devices })).id;
  });
}
