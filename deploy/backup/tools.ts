/** PostgreSQL's own tools and tar, whose last words become the error; and what a command that is told to stop leaves behind, which is nothing. */
import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';

/** What went wrong and can be mended by who runs the command: one line, no stack. */
export class BackupError extends Error {}

const children = new Set<ChildProcess>();
/** They hold keys and password hashes. */
const drafts = new Set<string>();

/** Gone with `forgetDraft`, or with the process when a signal ends that. */
export function rememberDraft(dir: string): void {
  drafts.add(dir);
}

export function forgetDraft(dir: string): void {
  drafts.delete(dir);
}

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
    child.once('error', (cause) => {
      children.delete(child);
      reject(new BackupError(`${command} is needed and cannot be started`, { cause }));
    });
    child.once('close', (code) => {
      children.delete(child);
      if (code === 0) resolve();
      else reject(new BackupError(`${command}: ${said.trim().split('\n')[0] || `ended with ${code}`}`));
    });
  });
}
