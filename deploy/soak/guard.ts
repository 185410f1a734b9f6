/** What must not outlive this process, however that ends: also when it is killed at once and can clean up nothing. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';

/** `child` must lead a process group of its own (spawned `detached`): the whole group is killed. */
export function guard(child: ChildProcess): void {
  if (child.pid === undefined) return;
  // Its standard input ends when we do.
  const watcher = spawn('sh', ['-c', 'read -r _; kill -s KILL -- "-$1"', 'guard', String(child.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watcher.unref();
  (watcher.stdin as Socket).unref();
  watcher.once('error', () => {});
  child.once('exit', () => watcher.kill('SIGKILL'));
}

/** Of a child that leads its own group. */
export function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
