import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const folder = fileURLToPath(new URL('.', import.meta.url));

it('the Zephyr module is type-correct against the functions of Zephyr and MCUboot that it calls; what needs none of them runs', async () => {
  const { stdout } = await run('make', ['-s', '-C', folder, 'test']);
  expect(stdout).toMatch(/ok - 5 sources of the Zephyr module/);
  expect(stdout).toMatch(/ok - a fatal error is told by the next start, once/);
  expect(stdout).toMatch(/ok - what runs is known by its record whenever the power goes/);
}, 240_000);

it('a build without the name of its hardware ends with one line', async () => {
  const without = run('cmake', ['-DCONFIG_FLOTA=y', '-P', `${folder}CMakeLists.txt`]);
  await expect(without).rejects.toThrow(/Flota: CONFIG_FLOTA_HARDWARE is not set; put/);
});
