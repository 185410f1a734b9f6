import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { built, make } from '../../make.ts';

const committed = readFileSync(new URL('./agent.wasm', import.meta.url));

it('the module is what the sources of the agent build: else run `make -C firmware wasm`', {
  timeout: 600_000,
}, async () => {
  await make('build/agent.wasm');
  expect(readFileSync(built('agent.wasm')).equals(committed)).toBe(true);
});

it('the module is small enough to be kept with the sources', () => {
  expect(committed.length).toBeLessThan(64 * 1024);
});
