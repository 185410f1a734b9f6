/** Packs the ESP-IDF component with the agent in it, so that it works outside this repository. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const agent = /^(ota_\w+|slot_staging|stk500)\.[ch]$/;
// Only what is in the repository: a build leaves much beside it.
const example =
  /^(CMakeLists\.txt|README\.md|partitions\.csv|dependencies\.lock|main|sdkconfig\.defaults(\.\w+)?)$/;

function copy(from: string, to: string, names: RegExp): void {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from).filter((it) => names.test(it)))
    cpSync(join(from, name), join(to, name), { recursive: true });
}

/** Writes `dir`/flota-<version>.tgz, which holds one folder `flota`, and returns its path. Throws when `dir` cannot be written. */
export function packComponent(dir: string): string {
  const manifest = readFileSync(join(here, 'flota/idf_component.yml'), 'utf8');
  const version = /^version: "(.+)"$/m.exec(manifest)![1]!;
  mkdirSync(dir, { recursive: true });
  const archive = resolve(dir, `flota-${version}.tgz`);
  const scratch = mkdtempSync(join(tmpdir(), 'flota-pack-'));
  try {
    const root = join(scratch, 'flota');
    cpSync(join(here, 'flota'), root, { recursive: true });
    cpSync(join(here, '../../LICENSE'), join(root, 'LICENSE'));
    copy(join(here, '../agent'), join(root, 'agent'), agent);
    copy(join(here, 'examples/minimal'), join(root, 'examples/minimal'), example);
    const dependencies = join(root, 'examples/minimal/main/idf_component.yml');
    writeFileSync(
      dependencies,
      readFileSync(dependencies, 'utf8').replace('path: ../../../flota', 'path: ../../..'),
    );
    // The same sources make the same archive.
    const options = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
    execFileSync('tar', [...options, '-I', 'gzip -n', '-cf', archive, '-C', scratch, 'flota']);
  } finally {
    rmSync(scratch, { recursive: true });
  }
  return archive;
}
