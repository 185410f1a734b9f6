// @ts-check
/**
 * Programs of ours as plain JavaScript: one starts in a fifth of the processor time that the sources take through tsx. They are kept below
 * node_modules, and used for as long as no file that went into them has changed; `node deploy/lab/primitives/programs.js` makes them all.
 * JavaScript itself, since `npm start` asks here before there is anything that reads TypeScript.
 */
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const self = fileURLToPath(import.meta.url);
const root = fileURLToPath(new URL('../../../', import.meta.url));
/** Whatever costs much to make and can be made again. */
export const keptFolder = join(root, 'node_modules/.cache/flota');
/** What is of other sources goes then: somebody may still be at work with it. */
const staleMs = 6 * 3_600_000;

/**
 * Each is built, and grows old, alone: nobody who only starts Flota needs the others.
 * @type {Record<string, string[]>}
 */
const builds = {
  start: ['deploy/local/main.ts'],
  patches: ['webhook/firmware/patches/worker.ts'],
  others: [
    'ca/cli.ts',
    'ca/main.ts',
    'ca/test-process.ts',
    'deploy/backup/main.ts',
    'deploy/cli/main.ts',
    'deploy/compose/broker-token.ts',
    'deploy/compose/first-device.ts',
    'deploy/compose/prepare.ts',
    'deploy/factory/main.ts',
    'deploy/helm/secrets.ts',
    'deploy/lab/fleet/main.ts',
    'deploy/lab/fleet/worker.ts',
    'deploy/lab/simulation/main.ts',
    'deploy/lab/simulation/worker.ts',
    'deploy/lab/system/broker-process.ts',
    'deploy/lab/system/store-process.ts',
    'emqx/cli.ts',
    'firmware/conformance/main.ts',
    'firmware/signing/cli.ts',
    'firmware/virtual/main.ts',
    'webhook/audit/cli.ts',
    'webhook/main.ts',
    'webhook/testing-copy.ts',
  ],
};

/**
 * Arguments of Node that run a module of ours: what is kept of it, else the source.
 * @param {URL | string} module
 * @returns {string[]}
 */
export function program(module) {
  const path = typeof module === 'string' ? module : fileURLToPath(module);
  return [findProgram(path) ?? ['--import', import.meta.resolve('tsx'), path]].flat();
}

/**
 * The file, where there is one that was made of what the sources are now.
 * @param {string} path
 * @returns {string | null}
 */
export function findProgram(path) {
  const source = relative(root, path);
  const name = Object.keys(builds).find((build) => builds[build]?.includes(source));
  const build = name && readBuild(name);
  return build ? join(keptFolder, build, source.replace(/\.ts$/, '.mjs')) : null;
}

/**
 * Makes what is not there or is of other sources, in processes of their own: whoever asks does not keep the memory that it takes.
 * @param {string[]} names
 */
export function keepPrograms(names = Object.keys(builds)) {
  const due = names.filter((name) => readBuild(name) === null);
  if (due.length > 0) spawnSync(process.execPath, [self, ...due], { stdio: ['ignore', 'ignore', 'inherit'] });
}

/**
 * Its folder, unless it is of other sources.
 * @param {string} name
 * @returns {string | null}
 */
function readBuild(name) {
  try {
    const { dir, inputs } = JSON.parse(readFileSync(join(keptFolder, `programs-${name}.json`), 'utf8'));
    return Object.entries(inputs).every(([path, was]) => stamp(path) === was) ? dir : null;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT') return null;
    throw error;
  }
}

/** @param {string} path */
function stamp(path) {
  const { mtimeMs, size } = statSync(join(root, path));
  return `${Math.round(mtimeMs)} ${size}`;
}

/**
 * Of a module, whatever it was asked for by.
 * @param {string} id
 */
const pathOf = (id) => id.split('?')[0] ?? id;

/** @param {string} name */
async function make(name) {
  // Not before: who finds everything made does not wait for it.
  const { build } = await import('vite');
  const began = Date.now();
  const dir = `programs-${name}-${randomUUID()}`;
  /** @type {Set<string>} */
  const inputs = new Set(['node_modules/.package-lock.json', relative(root, self)]);
  await build({
    configFile: false,
    root,
    logLevel: 'error',
    publicDir: false,
    plugins: [
      {
        name: 'addresses',
        // What a module finds by its address is beside its source. Few modules do, and only those are brought here from where they are read.
        transform: {
          filter: { code: 'import.meta.url' },
          handler(code, id) {
            const address = JSON.stringify(pathToFileURL(pathOf(id)).href);
            return { code: code.replaceAll('import.meta.url', address), map: null };
          },
        },
        buildEnd() {
          for (const path of [...this.getModuleIds()].map(pathOf)) {
            if (path.startsWith(root) && !path.includes('/node_modules/')) inputs.add(relative(root, path));
          }
        },
      },
    ],
    ssr: { noExternal: true, external: ['vite'], target: 'node' },
    build: {
      ssr: true,
      outDir: join(keptFolder, dir),
      target: 'node20',
      minify: false,
      reportCompressedSize: false,
      rollupOptions: {
        input: Object.fromEntries(
          (builds[name] ?? []).map((path) => [path.replace(/\.ts$/, ''), join(root, path)]),
        ),
        output: {
          entryFileNames: '[name].mjs',
          chunkFileNames: '[hash].mjs',
          codeSplitting: name !== 'start',
        },
        checks: { eval: false },
      },
    },
  });
  const stamps = Object.fromEntries([...inputs].map((path) => [path, stamp(path)]));
  // Somebody was writing meanwhile: which of the two is in it nobody knows.
  if ([...inputs].some((path) => statSync(join(root, path)).mtimeMs > began)) return;
  const temporary = join(keptFolder, `${dir}.json`);
  writeFileSync(temporary, JSON.stringify({ dir, inputs: stamps }));
  renameSync(temporary, join(keptFolder, `programs-${name}.json`));
  dropOld(`programs-${name}-`, join(keptFolder, dir));
}

/**
 * What is kept under names that begin so, was made for other sources, and is of no use to anybody any more.
 * @param {string} beginning
 * @param {string} current
 */
export function dropOld(beginning, current) {
  for (const name of readdirSync(keptFolder)) {
    const path = join(keptFolder, name);
    if (!name.startsWith(beginning) || path.startsWith(current)) continue;
    const since = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (Date.now() - since > staleMs) rmSync(path, { recursive: true, force: true });
  }
}

if (process.argv[1] === self) {
  mkdirSync(keptFolder, { recursive: true });
  const names = process.argv.slice(2);
  for (const name of names.length > 0 ? names : Object.keys(builds))
    if (readBuild(name) === null) await make(name);
}
