import { execFile } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

// Unit tests under sanitizers, power cuts at every write, golden messages, fuzzing, clang-tidy, code size.
it('the agent in C holds what `make -C firmware agent` checks', { timeout: 600_000 }, async () => {
  const folder = fileURLToPath(new URL('..', import.meta.url));
  const { status, output } = await new Promise<{ status: number; output: string }>((resolve) => {
    const args = ['-C', folder, `-j${Math.min(2, cpus().length)}`, 'agent'];
    execFile('make', args, { maxBuffer: 64 * 1024 * 1024 }, (error, out, err) =>
      resolve({ status: error ? Number(error.code) : 0, output: `${out}${err}` }),
    );
  });
  expect(status, output.slice(-8000)).toBe(0);
  const size = /^ARMv7-M .*$/m.exec(output)?.[0];
  expect(size).toBeDefined();
  process.stdout.write(`${size}\n`);
});
