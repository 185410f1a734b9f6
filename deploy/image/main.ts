/** `npm run build`: console, webhook and CA into dist/. */
import { cp, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'vite';
import { buildPrograms, root } from './build.ts';

const dist = join(root, 'dist');
await build({ configFile: join(root, 'console/vite.config.ts'), logLevel: 'warn' });
await buildPrograms(dist);
await cp(join(root, 'console/dist'), join(dist, 'console/dist'), { recursive: true });
let bytes = 0;
for (const entry of await readdir(dist, { recursive: true, withFileTypes: true }))
  if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
process.stdout.write(`dist: ${(bytes / 1e6).toFixed(1)} MB\n`);
