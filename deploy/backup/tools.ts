/** PostgreSQL's own tools and tar, whose last words become the error. */
import { spawn } from 'node:child_process';

/** What went wrong and can be mended by who runs the command: one line, no stack. */
export class BackupError extends Error {}

export function run(command: string, args: string[], env: Record<string, string> = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (data) => {
      said = (said + data).slice(-2000);
    });
    child.once('error', (cause) => {
      reject(new BackupError(`${command} is needed and cannot be started`, { cause }));
    });
    child.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new BackupError(`${command}: ${said.trim().split('\n')[0] || `ended with ${code}`}`));
    });
  });
}
