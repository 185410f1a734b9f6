/** The command line as a package of one file without dependencies: `npm pack ./dist/cli` after `npm run build`. */
import { chmod, copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import product from '../../package.json' with { type: 'json' };
import { bundle, root } from '../image/build.ts';

export async function packageCli(dir: string, packages = new Set<string>()): Promise<void> {
  await bundle('deploy/cli/main', dir, 'flota.js', packages);
  await chmod(join(dir, 'flota.js'), 0o755);
  const { name, version, license, engines } = product;
  const description = 'Flota from a terminal and from CI: firmware updates over the air';
  const manifest = {
    name,
    version,
    description,
    license,
    type: 'module',
    engines,
    bin: { flota: 'flota.js' },
    files: ['flota.js'],
  };
  await writeFile(join(dir, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  await copyFile(join(root, 'LICENSE'), join(dir, 'LICENSE'));
  await copyFile(join(root, 'deploy/cli/README.md'), join(dir, 'README.md'));
}
