/** Many devices get their certificates. */
import { enroll } from '#firmware/virtual/identity.ts';
import { createToken, importDevices } from '../rest.ts';
import type { System } from '../system/system.ts';
import { hardware } from './devices.ts';

const atOnce = 16;

/** Registers and enrols them; each keeps its identity in its directory. `signal` ends it between two devices. */
export async function enrolMany(
  system: Pick<System, 'url' | 'apiToken' | 'rest'>,
  devices: { id: string; dir: string }[],
  say: (line: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  await importDevices(
    system,
    devices.map(({ id }) => `${id},${hardware},${id}`),
  );
  let next = 0;
  const work = async () => {
    for (let device = devices[next++]; device; device = devices[next++]) {
      signal?.throwIfAborted();
      const token = await createToken(system.rest, device.id);
      await enroll({ dir: device.dir, id: device.id, url: system.url, token, fsync: false });
      if (next % 100 === 0) say(`enrolled ${next} of ${devices.length} devices`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}
