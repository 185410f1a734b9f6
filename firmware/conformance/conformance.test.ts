import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it } from 'vitest';
import { runSuite } from './suite.ts';

const firmware = fileURLToPath(new URL('..', import.meta.url));

beforeAll(() => {
  execFileSync('make', ['-s', '-C', firmware, 'build/flota-device-checked']);
}, 180_000);

it('the agent in C holds the short selection of the conformance suite', { timeout: 120_000 }, async () => {
  const outcomes = await runSuite({ command: `${firmware}build/flota-device-checked`, short: true });
  expect(outcomes.filter(({ ok }) => !ok)).toEqual([]);
  expect(outcomes.length).toBeGreaterThan(10);
});

it('a program that is no device is found out', async () => {
  await expect(runSuite({ command: 'false', short: true })).rejects.toThrow('--help failed');
});

it('a device that does not answer fails its cases', { timeout: 60_000 }, async () => {
  await expect(runSuite({ command: 'echo', only: 'refused' })).rejects.toThrow('cannot be enrolled');
});
