/** PostgreSQL's own tools and tar, whose last words become the error; and what a command that is told to stop leaves behind, which is nothing. */
import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';

/** What went wrong and can be mended by who runs the command: one line, no stack. */
export class BackupError extends Error {}

const children = new Set<ChildProcess>();
/** Directories that a signal which ends the process removes: they hold keys and password hashes. */
export const drafts = new Set<string>();

/** For the process of the command alone. */
export function cleanUpOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => {
      // Killed first, or one would write on.
      for (const child of children) child.kill('SIGKILL');
      for (const dir of drafts) rmSync(dir, { recursive: true, force: true });
      process.kill(process.pid, signal);
    });
}

export function run(command: string, args: string[], env: Record<string, string> = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    children.add(child);
    let said = '';
    child.stderr.on('data', (data) => {
      said = (said + data).slice(-2000);
    });
    child.once('error', (cause) =>
      reject(new BackupError(`${command} is needed and cannot be started`, { cause })),
    );
    child.once('close', (code) => {
      children.delete(child);
      if (code === 0) resolve();
      else reject(new BackupError(`${command}: ${said.trim().split('\n')[0] || `ended with ${code}`}`));
    });
  });
}
