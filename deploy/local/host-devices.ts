/** The devices of `npm start -- --host-devices N --qemu-devices N`: processes of their own that run the agent in C, here or on an emulated board. */
import type { ChildProcess } from 'node:child_process';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { built, make } from '#firmware/make.ts';
import { divisionNames, hardware, regionNames } from '../lab/fleet/devices.ts';
import { end, spawnGuarded } from '../lab/primitives/guard.ts';
import { createToken, ensureDevice, ensurePlaces } from '../lab/rest.ts';
import type { System } from '../lab/system/system.ts';

const kinds = {
  host: { target: 'build/flota-device', program: built('flota-device') },
  board: {
    target: 'board',
    program: fileURLToPath(new URL('../../firmware/board/flota-board', import.meta.url)),
  },
};
type Counts = Record<keyof typeof kinds, number>;

export interface HostDevices {
  ids: string[];
  close(): Promise<void>;
}

/** Builds the programs when needed; rejects with what the compiler says. `dataDir` keeps each device's flash and log. */
export async function startHostDevices(
  system: System,
  dataDir: string,
  counts: Counts,
): Promise<HostDevices> {
  const { rest } = system;
  const wanted = Object.entries(kinds).flatMap(([name, kind]) =>
    Array.from({ length: counts[name as keyof Counts] }, (_, i) => ({
      id: `${name}-${String(i + 1).padStart(3, '0')}`,
      ...kind,
    })),
  );
  const ids = wanted.map(({ id }) => id);
  if (ids.length === 0) return { ids, close: async () => {} };
  await make(...new Set(wanted.map(({ target }) => target)));
  const [region] = await ensurePlaces(rest.api.regions, regionNames);
  const [division] = await ensurePlaces(rest.api.divisions, divisionNames);
  const trust = join(dataDir, 'device-trust.pem');
  const keys = join(dataDir, 'device-signing-keys.json');
  writeFileSync(trust, system.trust);
  writeFileSync(keys, JSON.stringify(system.signing.publicKeys));
  const children: ChildProcess[] = [];
  for (const { id, program } of wanted) {
    const dir = join(dataDir, 'devices', id);
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    await ensureDevice(rest, { id, hardware, region: region!, division: division! });
    const child = spawnGuarded(
      program,
      [
        ...['--id', id, '--dir', dir, '--hardware', hardware, '--mqtt-url', system.mqttUrl],
        ...['--trust', trust, '--signing-keys', keys],
        ...['--enroll-url', system.url, '--token', await createToken(rest, id)],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const log = createWriteStream(join(dir, 'device.log'), { flags: 'a', mode: 0o600 });
    // A full disk costs the log, a program that cannot be started its device: neither ends this process.
    log.on('error', () => {});
    child.on('error', (error) => process.stderr.write(`flota: ${id}: ${error.message}\n`));
    child.stdout!.pipe(log, { end: false });
    child.stderr!.pipe(log, { end: false });
    child.once('close', () => log.end());
    children.push(child);
  }
  return {
    ids,
    close: async () => void (await Promise.all(children.map((child) => end(child)))),
  };
}
