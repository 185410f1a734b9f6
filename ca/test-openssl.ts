import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Workspace {
  dir: string;
  /** Writes a file below dir and returns its path. */
  file(name: string, content: string): Promise<string>;
  /** Runs the openssl command there; status and everything that it printed. */
  openssl(...args: string[]): Promise<{ status: number; output: string }>;
  remove(): Promise<void>;
}

/** A temporary directory for a test that has OpenSSL judge our work. */
export async function openWorkspace(): Promise<Workspace> {
  const dir = await mkdtemp(join(tmpdir(), 'flota-ca-'));
  return {
    dir,
    async file(name, content) {
      await writeFile(join(dir, name), content);
      return join(dir, name);
    },
    openssl: (...args) =>
      new Promise((resolve) => {
        const child = execFile('openssl', args, { cwd: dir }, (error, stdout, stderr) => {
          const status = error ? (typeof error.code === 'number' ? error.code : 255) : 0;
          resolve({ status, output: stdout + stderr });
        });
        child.stdin?.end();
      }),
    remove: () => rm(dir, { recursive: true }),
  };
}
