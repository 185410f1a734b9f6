import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';

const here = fileURLToPath(new URL('.', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'flota-docs-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

it('the API reference has every public function, and nothing in it is undocumented', () => {
  execFileSync('make', ['-C', here, 'docs'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const page = (name: string) => readFileSync(join(here, 'build/docs/html', name), 'utf8');
  for (const name of [
    'ota_agent_init',
    'ota_agent_poll',
    'slot_staging_open',
    'flota_start',
    'flota_zephyr_open',
  ])
    expect(page('globals_func.html')).toContain(name);
  expect(page('structota__port.html')).toContain('mqtt_connect');
});

it('a public function without a comment fails it', () => {
  writeFileSync(join(dir, 'new.h'), '/**\n * @file\n * Something new.\n */\nint flota_new(void);\n');
  const config = `@INCLUDE = Doxyfile\nINPUT = ${dir}/new.h\nUSE_MDFILE_AS_MAINPAGE =\nOUTPUT_DIRECTORY = ${dir}\n`;
  const { status, stderr } = spawnSync('doxygen', ['-'], { cwd: here, input: config, encoding: 'utf8' });
  expect(status).not.toBe(0);
  expect(stderr).toContain('flota_new(void) (function) of file new.h is not documented');
});
