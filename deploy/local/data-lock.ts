/** One process a data directory: PGlite must have one opener only. */
import { acquire, LockHeld } from '#ca/lock.ts';

export class DataDirectoryInUse extends Error {
  constructor(dir: string, pid: number) {
    super(`${dir} is in use by another Flota (process ${pid}); stop it, or choose another FLOTA_DATA`);
    this.name = 'DataDirectoryInUse';
  }
}

/** Resolves with the way to release it. A lock whose process is gone (kill -9) is taken over. */
export async function lockDataDirectory(dir: string): Promise<() => Promise<void>> {
  try {
    return await acquire(dir, 0);
  } catch (error) {
    throw error instanceof LockHeld ? new DataDirectoryInUse(dir, error.pid) : error;
  }
}
