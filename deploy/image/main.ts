/** `npm run build`: console, webhook, CA and command line into dist/. */
import '#deploy/lab/primitives/closed-pipe.ts';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'vite';
import { packageCli } from '../cli/package.ts';
import { buildPrograms, finishBuild, root } from './build.ts';
import { collectPackages } from './sbom.ts';

const dist = join(root, 'dist');
const packages = new Set<string>();
await buildPrograms(dist, undefined, packages);
await packageCli(join(dist, 'cli'), packages);
await build({
  configFile: join(root, 'console/vite.config.ts'),
  build: { outDir: join(dist, 'console/dist') },
  logLevel: 'warn',
  plugins: [collectPackages(packages)],
});
await finishBuild(dist, packages);
let bytes = 0;
for (const entry of await readdir(dist, { recursive: true, withFileTypes: true }))
  if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
process.stdout.write(`dist: ${(bytes / 1e6).toFixed(1)} MB, ${packages.size} packages\n`);
