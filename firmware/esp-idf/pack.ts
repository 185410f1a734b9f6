/** Packs the ESP-IDF component with the agent in it, so that it works outside this repository. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const agent = /^(ota_\w+|crash|delta|hpke|patch|psa_seal|seal|slot_staging|stk500)\.[ch]$/;
// Only what is in the repository: a build leaves much beside it. Its lock names the component where it is here.
const example = /^(CMakeLists\.txt|README\.md|partitions\.csv|main|sdkconfig\.defaults(\.\w+)?)$/;

function copy(from: string, to: string, names: RegExp): void {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from).filter((it) => names.test(it)))
    cpSync(join(from, name), join(to, name), { recursive: true });
}

function version(): string {
  return /^version: "(.+)"$/m.exec(readFileSync(join(here, 'flota/idf_component.yml'), 'utf8'))![1]!;
}

/** Writes `dir`/`file` with the one folder `name` that `fill` fills. The same sources make the same archive. Throws when it cannot be written. */
export function archive(dir: string, file: string, name: string, fill: (root: string) => void): string {
  mkdirSync(dir, { recursive: true });
  const path = resolve(dir, file);
  const scratch = mkdtempSync(join(tmpdir(), 'flota-pack-'));
  try {
    const root = join(scratch, name);
    mkdirSync(root);
    cpSync(join(here, '../../LICENSE'), join(root, 'LICENSE'));
    fill(root);
    const options = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
    execFileSync('tar', [...options, '-I', 'gzip -n', '-cf', path, '-C', scratch, name]);
  } finally {
    rmSync(scratch, { recursive: true });
  }
  return path;
}

/** Writes `dir`/flota-<version>.tgz, the ESP-IDF component, and returns its path. */
export function packComponent(dir: string): string {
  return archive(dir, `flota-${version()}.tgz`, 'flota', (root) => {
    cpSync(join(here, 'flota'), root, { recursive: true });
    copy(join(here, '../agent'), join(root, 'agent'), agent);
    copy(join(here, 'examples/minimal'), join(root, 'examples/minimal'), example);
    const dependencies = join(root, 'examples/minimal/main/idf_component.yml');
    writeFileSync(
      dependencies,
      readFileSync(dependencies, 'utf8').replace('path: ../../../flota', 'path: ../../..'),
    );
  });
}

/** Writes `dir`/flota-arduino-<version>.tgz, the same as a library of Arduino and PlatformIO, and returns its path. */
export function packLibrary(dir: string): string {
  const wrapper = join(here, '../arduino-esp32');
  return archive(dir, `flota-arduino-${version()}.tgz`, 'Flota', (root) => {
    copy(wrapper, root, /^(library\.(json|properties)|README\.md|src|examples)$/);
    // One folder, so that every quoted include finds its neighbour, and none of them is on the path of a sketch.
    for (const [from, names] of [
      ['../agent', agent],
      ['flota/src', /\.[ch]$/],
      ['flota/include', /\.h$/],
    ] as const)
      copy(join(here, from), join(root, 'src/flota'), names);
  });
}
