import { expect, it } from 'vitest';
import { make } from '../make.ts';

// Unit tests under sanitizers, power cuts at every write, golden messages, fuzzing, clang-tidy; then the tests on two processors.
it('the agent in C holds what `make -C firmware agent` checks', { timeout: 600_000 }, async () => {
  const costs = (await make('agent')).match(/^(Cortex-M3|RV32): code .*$/gm);
  expect(costs).toHaveLength(2);
  process.stdout.write(`${costs!.join('\n')}\n`);
});
