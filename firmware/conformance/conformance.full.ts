import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it } from 'vitest';
import { runSuite } from './suite.ts';

const firmware = fileURLToPath(new URL('..', import.meta.url));
const tsx = fileURLToPath(import.meta.resolve('tsx'));

beforeAll(() => {
  execFileSync('make', ['-s', '-C', firmware, 'build/flota-device-checked']);
}, 180_000);

it.each([
  ['the agent in C', `${firmware}build/flota-device-checked`],
  ['the virtual device', `${process.execPath} --import ${tsx} ${firmware}virtual/main.ts`],
])('%s holds the whole conformance suite', { timeout: 900_000 }, async (_name, command) => {
  const outcomes = await runSuite({ command });
  expect(outcomes.filter(({ ok }) => !ok)).toEqual([]);
  expect(outcomes.length).toBeGreaterThan(50);
});
