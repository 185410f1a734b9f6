import { test } from 'vitest';
import { fuzzPackets } from './packet-fuzz.ts';

const minutes = 10;

test(
  `no mutated packet ends more than its own connection, for ${minutes} minutes`,
  async () => {
    const seed = Date.now() % 2 ** 31;
    const end = Date.now() + minutes * 60_000;
    const { packets, connections } = await fuzzPackets({ seed, goOn: () => Date.now() < end });
    console.log(`seed ${seed}: ${packets} packets on ${connections} connections`);
  },
  (minutes + 2) * 60_000,
);
