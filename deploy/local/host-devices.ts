/** The devices of `npm start -- --host-devices N`: processes of their own that run the agent in C. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { built, make } from '#firmware/make.ts';
import { createToken, divisionNames, ensureDevice, ensurePlaces, hardware, regionNames } from './fleet.ts';
import type { Rest } from './rest.ts';
import type { Stack } from './stack.ts';

export interface HostDevices {
  ids: string[];
  close(): Promise<void>;
}

/** Builds the program when needed; rejects with what the compiler says. `dataDir` keeps each device's flash and log. */
export async function startHostDevices(
  stack: Stack,
  rest: Rest,
  dataDir: string,
  count: number,
): Promise<HostDevices> {
  const ids = Array.from({ length: count }, (_, i) => `host-${String(i + 1).padStart(3, '0')}`);
  if (count === 0) return { ids, close: async () => {} };
  await make('build/flota-device');
  const [region] = await ensurePlaces(rest.api.regions, regionNames);
  const [division] = await ensurePlaces(rest.api.divisions, divisionNames);
  const trust = join(dataDir, 'device-trust.pem');
  const keys = join(dataDir, 'device-signing-keys.json');
  writeFileSync(trust, stack.trust);
  writeFileSync(keys, JSON.stringify(stack.signingKeys));
  const children: ChildProcess[] = [];
  for (const id of ids) {
    const dir = join(dataDir, 'devices', id);
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    await ensureDevice(rest, id, region!, division!);
    const child = spawn(
      built('flota-device'),
      [
        ...['--id', id, '--dir', dir, '--hardware', hardware, '--mqtt-url', stack.mqttUrl],
        ...['--trust', trust, '--signing-keys', keys],
        ...['--enroll-url', stack.url, '--token', await createToken(rest, id)],
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
    close: async () => {
      await Promise.all(
        children.map(async (child) => {
          if (child.exitCode !== null || child.signalCode !== null) return;
          const exited = once(child, 'exit');
          child.kill('SIGTERM');
          await exited;
        }),
      );
    },
  };
}
