/** The console of `npm start` and of browser tests: built when its sources changed, once, however many want it at the same time. */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync, utimes, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { until } from '../lab/primitives/until.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const lock = join(root, 'node_modules/.cache/flota-console-build');
/** Any other build into the folder takes it away, so that one without the show is not taken for this one. */
const mark = join(root, 'console/dist/.lab');
const staleMs = 120_000;

export async function buildConsole(begun = () => {}): Promise<void> {
  await until(takeLock, (taken) => taken, 2 * staleMs);
  // A slow machine takes longer for it than after what its owner counts as killed.
  const alive = setInterval(() => utimes(lock, new Date(), new Date(), () => {}), staleMs / 10);
  try {
    if (isFresh()) return;
    begun();
    const build = ['build', '--mode', 'lab', '--config', 'console/vite.config.ts', '--logLevel', 'warn'];
    await promisify(execFile)(process.execPath, ['node_modules/vite/bin/vite.js', ...build], { cwd: root });
    writeFileSync(mark, '');
  } finally {
    clearInterval(alive);
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

function isFresh(): boolean {
  const builtAt = statSync(mark, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  // Folders too: a file that is gone has changed its folder only.
  const sources = ['console', 'webhook', 'emqx'].flatMap((folder) => [
    folder,
    ...readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
      join(folder, name),
    ),
  ]);
  const apart = /^console(\/dist|\/screenshots|$)|\.(md|sql|test\.ts)$/;
  return [...sources, 'package-lock.json'].every(
    (name) => apart.test(name) || statSync(join(root, name)).mtimeMs < builtAt,
  );
}
