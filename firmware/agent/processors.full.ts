import { expect, it } from 'vitest';
import { make } from '../make.ts';

it('the agent lives through thousands of seeds and every power cut on both processors', {
  timeout: 3_600_000,
}, async () => {
  const costs = (await make('processors', 'SEEDS=2000', 'POWER=')).match(
    /^(Cortex-M3|RV32): .* 2000 seeds ran$/gm,
  );
  expect(costs).toHaveLength(2);
  process.stdout.write(`${costs!.join('\n')}\n`);
});
