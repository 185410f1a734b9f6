/**
 * Webhook and CA as plain JavaScript that needs Node and nothing else. Each program is one file, and stands beside what it finds by its
 * own address: migrations, the console.
 */
import { cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const programs = ['webhook/main', 'ca/main', 'ca/cli'] as const;

/** Into `dist`, which is emptied first. */
export async function buildPrograms(
  dist: string,
  names: readonly (typeof programs)[number][] = programs,
): Promise<void> {
  await rm(dist, { recursive: true, force: true });
  for (const name of names) {
    await build({
      configFile: false,
      root,
      logLevel: 'warn',
      publicDir: false,
      ssr: { noExternal: true, target: 'node' },
      build: {
        ssr: join(root, `${name}.ts`),
        outDir: dist,
        emptyOutDir: false,
        target: 'node20',
        minify: false,
        sourcemap: true,
        rollupOptions: {
          output: { entryFileNames: `${name}.js`, codeSplitting: false },
          // PGlite's, in what a container never calls.
          checks: { eval: false },
        },
      },
    });
  }
  await cp(join(root, 'webhook/db/migrations'), join(dist, 'webhook/migrations'), { recursive: true });
  await writeFile(join(dist, 'package.json'), JSON.stringify({ type: 'module' }));
}
