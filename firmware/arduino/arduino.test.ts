import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const folder = fileURLToPath(new URL('.', import.meta.url));

it('the sketch fits an Uno, and the programmer brings it there through the real optiboot, whatever goes wrong', async () => {
  const { stdout } = await run('make', ['-s', '-C', folder, 'test'], { maxBuffer: 1 << 24 });
  expect(stdout).toMatch(/flota_uno: flash \d+ of 32256 bytes/);
  expect(stdout).toMatch(/ok - a_programmer_killed_half_way/);
  expect(stdout).toMatch(/ok - fuzzing line found nothing/);
}, 600_000);
