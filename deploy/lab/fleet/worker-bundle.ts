import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

export interface WorkerBundle {
  path: string;
  remove(): void;
}

/** The device process as plain JavaScript in one file: half the memory of one that brings a TypeScript loader along. */
export async function bundleWorker(): Promise<WorkerBundle> {
  const dir = mkdtempSync(join(tmpdir(), 'flota-worker-'));
  const remove = () => rmSync(dir, { recursive: true, force: true });
  try {
    await build({
      configFile: false,
      root: fileURLToPath(new URL('../../../', import.meta.url)),
      logLevel: 'error',
      ssr: { noExternal: true },
      build: {
        ssr: fileURLToPath(new URL('./worker.ts', import.meta.url)),
        outDir: dir,
        target: 'node20',
        minify: true,
        rollupOptions: { output: { format: 'es', entryFileNames: 'worker.mjs' } },
      },
    });
    // The agent is looked for beside the code that runs it.
    cpSync(
      fileURLToPath(new URL('../../../firmware/virtual/wasm/agent.wasm', import.meta.url)),
      join(dir, 'wasm/agent.wasm'),
    );
    return { path: join(dir, 'worker.mjs'), remove };
  } catch (error) {
    remove();
    throw error;
  }
}
