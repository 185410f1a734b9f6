/**
 * Webhook and CA as plain JavaScript that needs Node and nothing else. Each program is one file, and stands beside what it finds by its
 * own address: migrations, the console.
 */
import { cp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { collectPackages, writeSbom } from './sbom.ts';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const programs = ['webhook/main', 'ca/main', 'ca/cli'] as const;

/** Into `dist`, which is emptied first; the packages that went into it are added to `packages`. */
export async function buildPrograms(
  dist: string,
  names: readonly (typeof programs)[number][] = programs,
  packages = new Set<string>(),
): Promise<void> {
  await rm(dist, { recursive: true, force: true });
  for (const name of names) await bundle(name, dist, `${name}.js`, packages);
  // A process of its own, which the webhook starts.
  if (names.includes('webhook/main'))
    await bundle('webhook/firmware/patches/worker', dist, 'webhook/patch-worker.js', packages);
  await cp(join(root, 'webhook/db/migrations'), join(dist, 'webhook/migrations'), { recursive: true });
  await writeFile(join(dist, 'package.json'), JSON.stringify({ type: 'module' }));
}

/** One program as one file; it needs Node and nothing else. */
export async function bundle(
  name: string,
  dir: string,
  fileName: string,
  packages = new Set<string>(),
): Promise<void> {
  await build({
    configFile: false,
    root,
    logLevel: 'warn',
    publicDir: false,
    plugins: [collectPackages(packages)],
    ssr: { noExternal: true, target: 'node' },
    build: {
      ssr: join(root, `${name}.ts`),
      outDir: dir,
      emptyOutDir: false,
      target: 'node20',
      minify: false,
      sourcemap: true,
      rollupOptions: {
        output: { entryFileNames: fileName, codeSplitting: false },
        // PGlite's, in what a container never calls.
        checks: { eval: false },
      },
    },
  });
}

/**
 * The list of what is in it (`sbom.cdx.json`), and the date of the sources on every file, where SOURCE_DATE_EPOCH (seconds) tells it: then two
 * builds of the same sources are the same, and so are the layers of images made of them.
 */
export async function finishBuild(dist: string, packages: Set<string>): Promise<void> {
  const epoch = process.env.SOURCE_DATE_EPOCH;
  if (epoch && !/^\d{1,11}$/.test(epoch)) throw new Error('SOURCE_DATE_EPOCH: must be seconds since 1970');
  const date = epoch ? new Date(Number(epoch) * 1000) : null;
  await writeFile(join(dist, 'sbom.cdx.json'), writeSbom(root, packages, date));
  if (!date) return;
  const entries = await readdir(dist, { recursive: true, withFileTypes: true });
  for (const path of [...entries.map((entry) => join(entry.parentPath, entry.name)), dist])
    await utimes(path, date, date);
}
