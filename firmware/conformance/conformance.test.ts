import { beforeAll, expect, it } from 'vitest';
import { built, make } from '../make.ts';
import { runSuite } from './suite.ts';

beforeAll(() => make('build/flota-device-checked'), 600_000);

it('the agent in C holds the short selection of the conformance suite', { timeout: 120_000 }, async () => {
  const outcomes = await runSuite({ command: built('flota-device-checked'), short: true });
  expect(outcomes.filter(({ ok }) => !ok)).toEqual([]);
  expect(outcomes.length).toBeGreaterThan(10);
});

it('a program that is no device is found out', async () => {
  await expect(runSuite({ command: 'false', short: true })).rejects.toThrow('--help failed');
});

it('a device that does not answer fails its cases', { timeout: 60_000 }, async () => {
  await expect(runSuite({ command: 'echo', only: 'refused' })).rejects.toThrow('cannot be enrolled');
});
