import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { program } from '../primitives/programs.js';

const dir = mkdtempSync(join(tmpdir(), 'flota-simulation-'));
afterAll(() => rmSync(dir, { recursive: true }));

test('seven schedules of whole deployments hold every promise', { timeout: 1_800_000 }, () => {
  const main = program(new URL('./main.ts', import.meta.url));
  const args = ['--database', join(dir, 'empty.tar'), '--deployments', '7', '--seed', '2'];
  const { status, stdout, stderr } = spawnSync(process.execPath, [...main, ...args], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toContain('7 schedules of whole deployments from seed 2: every promise held');
});
