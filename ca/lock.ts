import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { link, mkdir, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CaError } from './client.ts';

const waitMs = 10_000;
const pollMs = 20;

const queues = new Map<string, Promise<unknown>>();

/**
 * Runs it while no other process, and nobody else in this one, holds the directory's lock. A lock whose process is gone (kill -9) is
 * taken over.
 * @throws CaError directory_busy after ten seconds
 */
export async function withLock<T>(dir: string, run: () => Promise<T>): Promise<T> {
  const previous = queues.get(dir) ?? Promise.resolve();
  const next = previous
    .catch(() => undefined)
    .then(async () => {
      const release = await acquire(dir, waitMs).catch((error: unknown) => {
        throw error instanceof LockHeld ? new CaError('directory_busy', error.message) : error;
      });
      try {
        return await run();
      } finally {
        await release();
      }
    });
  queues.set(dir, next);
  try {
    return await next;
  } finally {
    if (queues.get(dir) === next) queues.delete(dir);
  }
}

/** By a process that lives. */
export class LockHeld extends Error {
  readonly pid: number;
  constructor(dir: string, pid: number) {
    super(`${dir} is being changed by another process (${pid})`);
    this.name = 'LockHeld';
    this.pid = pid;
  }
}

/** Resolves with the way to release it. Throws LockHeld when it is not free within that time; one whose process is gone is taken over. */
export async function acquire(dir: string, withinMs: number): Promise<() => Promise<void>> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, 'lock');
  const own = join(dir, `lock.${process.pid}.${randomBytes(6).toString('hex')}`);
  await writeFile(own, JSON.stringify({ pid: process.pid, startedAt: startOf(process.pid) }), {
    mode: 0o600,
  });
  const end = Date.now() + withinMs;
  try {
    for (;;) {
      try {
        // Written before it has its name: nobody ever reads half a lock.
        await link(own, path);
        return () => rm(path, { force: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const holder = await readFile(path, 'utf8').catch(() => undefined);
      if (holder === undefined) continue;
      const { pid, startedAt } = JSON.parse(holder) as { pid: number; startedAt: string | null };
      if (!isAlive(pid, startedAt)) await takeAway(path, holder);
      else if (Date.now() >= end) throw new LockHeld(dir, pid);
      else await delay(pollMs);
    }
  } finally {
    await unlink(own);
  }
}

/** By renaming, so that of two who find the same dead holder only one removes it; what was not his is put back. */
async function takeAway(path: string, holder: string): Promise<void> {
  const aside = `${path}.${randomBytes(6).toString('hex')}.dead`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if ((await readFile(aside, 'utf8')) !== holder) await link(aside, path).catch(() => undefined);
  await unlink(aside);
}

/** The pid alone is not enough: after a reboot another process may have it. */
function isAlive(pid: number, startedAt: string | null): boolean {
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
