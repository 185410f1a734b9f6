import { api, type Deployment } from '../../api.ts';
import { digestFile } from '../../file-digest.ts';
import { createUpload, putByXhr } from '../../upload.ts';

const bytes = 32 * 1024;

/** Bytes that no chip would boot: for a device that takes whatever is signed, which real hardware must not be sent. */
function makeFile(version: string): File {
  const noise = crypto.getRandomValues(new Uint8Array(bytes));
  return new File([`Flota test image ${version}\n`, noise], 'test-image.bin');
}

/** Registers a small image of its own and deploys it to that device alone. */
export async function deployTestImage(device: { id: string; hardware: string }): Promise<Deployment> {
  const version = `0.0.1-test.${Date.now()}`;
  const file = makeFile(version);
  const { signal } = new AbortController();
  const sha256 = await digestFile(file, { signal });
  const upload = createUpload(file, sha256, { ...api, put: putByXhr });
  const fields = { version, releaseNote: '', name: 'Test image', hardware: device.hardware };
  const firmware = await upload.run(fields, signal, () => {});
  return api.createDeployment({ firmwareId: firmware.id, devices: [device.id] });
}
