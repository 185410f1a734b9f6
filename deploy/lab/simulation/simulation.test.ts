import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { program } from '../primitives/programs.js';

const dir = mkdtempSync(join(tmpdir(), 'flota-simulation-'));
afterAll(() => rmSync(dir, { recursive: true }));

/** In a process of its own: virtual time is a whole process's. */
const run = (...args: string[]) =>
  spawnSync(
    process.execPath,
    [...program(new URL('./main.ts', import.meta.url)), '--database', join(dir, 'empty.tar'), ...args],
    { encoding: 'utf8' },
  );

// First: one process makes the database that the others find.
test('a schedule that has not ended in time is given up, with its seed', () => {
  const given = run('--schedules', '0', '--deployments', '1', '--seed', '7', '--patience', '0');
  expect([given.status, given.stderr]).toEqual([
    1,
    'seed 7: it has not ended within 0 s\nreplay it: npm run simulate -- --replay 7\n',
  ]);
  const replayed = run('--replay', '7', '--patience', '0');
  expect([replayed.status, replayed.stdout]).toEqual([1, 'seed 7: it has not ended within 0 s\n']);
}, 120_000);

/** What happened in the schedule of the seed 51 (a small fleet in which much happens), which is played once for two tests. */
let played = '';

// More of them, over more seeds: simulation.full.ts.
test('a whole deployment holds every promise, although much goes wrong in it', () => {
  const { status, stdout, stderr } = run('--schedules', '10', '--deployments', '1', '--seed', '51');
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toContain('10 schedules of the machines from seed 51: every promise held');
  expect(stdout).toContain('1 schedules of whole deployments from seed 51: every promise held');
  for (const what of ['deaths of copies', 'power cuts', 'updates succeeded', 'ended otherwise'])
    expect(Number(new RegExp(`(\\d+) ${what}`).exec(stdout)?.[1]), what).toBeGreaterThan(0);
  [, played = ''] = /\(seed 51: run ([0-9a-f]{16})\)/.exec(stdout)!;
}, 180_000);

test('a seed replays exactly', () => {
  const { stdout } = run('--replay', '51');
  expect(stdout).toMatch(/\nseed 51: every promise held\n$/);
  const told = stdout.split('\n').slice(0, -3);
  expect(told.length).toBeGreaterThan(50);
  // The lines are what the digest is of.
  const digest = createHash('sha256')
    .update(`${told.join('\n')}\n`)
    .digest('hex')
    .slice(0, 16);
  expect([digest, stdout]).toEqual([played, expect.stringContaining(`\nseed 51: run ${digest}\n`)]);
}, 180_000);

test('the command says how it is used, and what it cannot do', () => {
  expect(run('--help').stdout).toContain('--replay SEED');
  const wrong = run('--schedules', 'many');
  expect([wrong.status, wrong.stderr]).toEqual([
    2,
    'simulate: --schedules must be a whole number, not "many"\n',
  ]);
});
