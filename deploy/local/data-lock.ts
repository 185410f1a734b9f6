/** One process a data directory: PGlite must have one opener only. */
import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export class DataDirectoryInUse extends Error {
  constructor(dir: string, pid: number) {
    super(`${dir} is in use by another Flota (process ${pid}); stop it, or choose another FLOTA_DATA`);
    this.name = 'DataDirectoryInUse';
  }
}

/** Returns the way to release it. A lock whose process is gone (kill -9) is taken over. */
export function lockDataDirectory(dir: string): () => void {
  const path = join(dir, 'lock');
  for (let tries = 0; ; tries++) {
    try {
      const fd = openSync(path, 'wx', 0o600);
      writeSync(fd, JSON.stringify({ pid: process.pid, startedAt: startOf(process.pid) }));
      closeSync(fd);
      return () => rmSync(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || tries > 2) throw error;
    }
    const owner = readOwner(path);
    if (owner && isAlive(owner)) throw new DataDirectoryInUse(dir, owner.pid);
    rmSync(path, { force: true });
  }
}

interface Owner {
  pid: number;
  startedAt: string | null;
}

function readOwner(path: string): Owner | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Owner;
  } catch {
    // Killed between creating and writing it.
    return null;
  }
}

/** The pid alone is not enough: after a reboot another process may have it. */
function isAlive({ pid, startedAt }: Owner): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return startOf(pid) === startedAt;
}

/** Start time in clock ticks since boot, with the boot's own id (Linux); null where /proc does not tell. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot}/${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
  } catch {
    return null;
  }
}
