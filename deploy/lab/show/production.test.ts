import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { expect, test } from 'vitest';

test('the console of production carries nothing of the show', async () => {
  const outDir = mkdtempSync(join(tmpdir(), 'flota-console-'));
  try {
    const configFile = fileURLToPath(new URL('../../../console/vite.config.ts', import.meta.url));
    await build({ configFile, mode: 'production', logLevel: 'error', build: { outDir, emptyOutDir: true } });
    const names = readdirSync(outDir, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.\w+$/.test(name),
    );
    const text = names.map((name) => readFileSync(join(outDir, name), 'utf8')).join('');
    for (const word of ['/api/deployments', 'nav.devices']) expect(text).toContain(word);
    for (const word of ['/api/show', 'show.deployBad', 'nav.show']) expect(text).not.toContain(`'${word}'`);
    expect(text).not.toContain('/api/show');
  } finally {
    rmSync(outDir, { recursive: true, force: true });
  }
}, 120_000);
