/** The built console for browser tests: built once, however many test files want it at the same time. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../lab/primitives/until.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const lock = join(root, 'node_modules/.cache/flota-console-build');
const staleMs = 120_000;

export async function buildConsole(): Promise<void> {
  await until(takeLock, (taken) => taken, 2 * staleMs);
  try {
    if (changedAt('console', ['dist', 'screenshots']) < changedAt('console/dist', [])) return;
    const build = [
      'vite',
      'build',
      '--mode',
      'lab',
      '--config',
      'console/vite.config.ts',
      '--logLevel',
      'warn',
    ];
    execFileSync('npx', build, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

function takeLock(): boolean {
  try {
    mkdirSync(join(lock, '..'), { recursive: true });
    mkdirSync(lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    // Its owner was killed in the middle.
    const since = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - since > staleMs) rmSync(lock, { recursive: true, force: true });
    return false;
  }
}

/** When the newest file below it was written, ms since 1970; 0 when there is none. */
function changedAt(folder: string, except: string[]): number {
  const dir = join(root, folder);
  if (!statSync(dir, { throwIfNoEntry: false })) return 0;
  const names = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter(
    (name) => !except.some((other) => name === other || name.startsWith(`${other}/`)),
  );
  return Math.max(0, ...names.map((name) => statSync(join(dir, name)).mtimeMs));
}
