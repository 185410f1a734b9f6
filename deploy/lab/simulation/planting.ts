/** A copy of the product with one fault in it, and the simulation of that copy. */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Mutant } from './mutants.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const parts = ['package.json', 'tsconfig.json', 'emqx', 'webhook', 'ca', 'firmware', 'deploy/lab'];

export interface Said {
  status: number | null;
  /** What it says when it is not content. */
  stderr: string;
}

/** As many as it may take from the seed of a mutant on: one, unless something has changed what a seed draws. */
const schedules = 8;

/** How often the text of the fault stands in its file. */
export function countPlaces({ file, text }: Mutant): number {
  return fs.readFileSync(join(root, file), 'utf8').split(text).length - 1;
}

/** Plays whole deployments of a copy with that fault until one breaks a promise. */
export function simulateWith({ file, text, becomes, seed }: Mutant, database: string): Said {
  const dir = fs.mkdtempSync(join(tmpdir(), 'flota-mutant-'));
  try {
    for (const part of parts) {
      fs.mkdirSync(dirname(join(dir, part)), { recursive: true });
      fs.cpSync(join(root, part), join(dir, part), {
        recursive: true,
        filter: (source) => !/\/(build|node_modules)$/.test(source),
      });
    }
    fs.symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'));
    const source = fs.readFileSync(join(dir, file), 'utf8');
    fs.writeFileSync(
      join(dir, file),
      source.replace(text, () => becomes),
    );
    if (file.endsWith('.c'))
      execFileSync('make', ['-s', '-C', join(dir, 'firmware'), 'wasm'], { stdio: 'pipe' });
    const options = `--schedules 0 --deployments ${schedules} --seed ${seed} --database ${database}`.split(
      ' ',
    );
    const { status, stderr } = spawnSync(
      process.execPath,
      ['--import', 'tsx', 'deploy/lab/simulation/main.ts', ...options],
      { cwd: dir, encoding: 'utf8' },
    );
    return { status, stderr };
  } finally {
    fs.rmSync(dir, { recursive: true, force: true });
  }
}
