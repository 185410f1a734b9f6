/** Fresh images for the show, deployed by the console's own REST calls. */
import type { ShowDeployment, ShowImage } from '#console/pages/show/wire.ts';
import { buildImage } from '#firmware/virtual/image.ts';
import { hardware } from '../fleet/devices.ts';
import { deploy, type Rest, RestError, registerFirmware, unwrap } from '../rest.ts';

/** Devices that a bad image reaches before the rollout halts. */
const canaries = 3;

/** A bad image is properly signed, and fails its own self-test: only booting it tells. It goes to a first wave of a few. */
export async function deployImage(
  rest: Rest,
  image: ShowImage,
  devices: string[],
  sizeBytes: number,
): Promise<ShowDeployment> {
  const { id: firmwareId, version } = await register(rest, image, sizeBytes);
  const waves =
    image === 'bad' && devices.length > canaries
      ? [{ count: canaries }, { percent: 100 }]
      : [{ percent: 100 }];
  const policy = { waves, failurePercent: 0, retryDelayMs: 1_000 };
  const { id } = await deploy(rest, { firmwareId, devices, policy });
  return { id, version, image };
}

async function register(rest: Rest, kind: ShowImage, sizeBytes: number) {
  const list = await unwrap(rest.api.firmwares.metadata.$get({ query: { limit: '1' } }));
  const known = Array.isArray(list) ? list.length : list.total;
  // Somebody else may have taken the number meanwhile.
  for (let next = known; ; next++) {
    const version = `1.${next}.0`;
    try {
      const selfTest = kind === 'good' ? 'pass' : 'fail';
      return await registerFirmware(rest, buildImage({ version, sizeBytes, selfTest, seed: next + 1 }), {
        version,
        fileName: `show-${kind}.bin`,
        name: kind === 'good' ? 'Flota show' : 'Flota show, bad image',
        releaseNote: kind === 'good' ? 'Another good one.' : 'Signed, whole, and does not work.',
        hardware,
      });
    } catch (error) {
      if (!(error instanceof RestError) || error.code !== 'firmware_exists' || next > known + 20) throw error;
    }
  }
}
