/** The simulation itself is put to the test: faults of the product, each of which it must find. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { mutants } from './mutants.ts';
import { simulateWith } from './planting.ts';

const dir = mkdtempSync(join(tmpdir(), 'flota-mutants-'));
afterAll(() => rmSync(dir, { recursive: true }));

it.each(mutants)('it is found that $name', { timeout: 300_000 }, (mutant) => {
  const { status, stderr } = simulateWith(mutant, join(dir, 'empty.tar'));
  expect(stderr).toMatch(mutant.says);
  expect(status).toBe(1);
});
