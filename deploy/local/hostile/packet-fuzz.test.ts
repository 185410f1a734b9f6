import { expect, test } from 'vitest';
import { fuzzPackets } from './packet-fuzz.ts';

test('no mutated packet ends more than its own connection', async () => {
  const { packets, connections } = await fuzzPackets({ seed: 14, goOn: (sent) => sent < 1_500 });
  expect(connections).toBeGreaterThan(50);
  expect(packets).toBeGreaterThanOrEqual(1_500);
});
