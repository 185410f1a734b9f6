import { expect, it } from 'vitest';
import { make } from '../make.ts';

// Unit tests under sanitizers, power cuts at every write, golden messages, fuzzing, clang-tidy, code size.
it('the agent in C holds what `make -C firmware agent` checks', { timeout: 600_000 }, async () => {
  const size = /^ARMv7-M .*$/m.exec(await make('agent'))?.[0];
  expect(size).toBeDefined();
  process.stdout.write(`${size}\n`);
});
