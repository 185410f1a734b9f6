import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { build, type Rolldown } from 'vite';
import { expect, test } from 'vitest';
import { writeCompressed } from './write-compressed.ts';

test('beside what is worth it the build has the same packed', async () => {
  const root = mkdtempSync(join(tmpdir(), 'flota-compressed-'));
  try {
    writeFileSync(join(root, 'index.html'), '<!doctype html><script type="module" src="/main.js"></script>');
    const words = Array.from({ length: 500 }, (_, i) => `word ${i * i} of ${i}`).join();
    writeFileSync(join(root, 'main.js'), `console.log('${words}'); import('./small.js');`);
    writeFileSync(join(root, 'small.js'), 'console.log(1);');
    const options = { root, logLevel: 'silent', configFile: false, build: { write: false } } as const;
    const { output } = (await build({ ...options, plugins: [writeCompressed()] })) as Rolldown.RolldownOutput;
    const files = new Map(
      output.map((file) => [file.fileName, Buffer.from(file.type === 'chunk' ? file.code : file.source)]),
    );
    const packed = [...files.keys()].filter((name) => /\.(br|gz)$/.test(name));
    expect(packed.map((name) => name.replace(/-.*?\./, '.')).sort()).toEqual([
      'assets/index.js.br',
      'assets/index.js.gz',
    ]);
    const plain = files.get(packed[0]!.replace(/\.\w+$/, ''))!;
    const [br, gz] = ['br', 'gz'].map((end) => files.get(packed.find((name) => name.endsWith(end))!)!);
    expect(brotliDecompressSync(br!)).toEqual(plain);
    expect(gunzipSync(gz!)).toEqual(plain);
    expect(br!.length).toBeLessThan(gz!.length);
  } finally {
    rmSync(root, { recursive: true });
  }
});
