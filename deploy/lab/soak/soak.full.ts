import { type ChildProcess, execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { spawnGuarded } from '../primitives/guard.ts';
import { until } from '../primitives/until.ts';

let temporary: string;
let child: ChildProcess | undefined;
beforeAll(() => {
  temporary = mkdtempSync(join(tmpdir(), 'flota-soak-test-'));
  // For root the database server runs as another user, who must get in.
  chmodSync(temporary, 0o755);
});
afterAll(() => {
  child?.kill('SIGKILL');
  rmSync(temporary, { recursive: true, force: true });
});

function start(...args: string[]) {
  const main = fileURLToPath(new URL('../main.ts', import.meta.url));
  child = spawnGuarded(process.execPath, ['--import', 'tsx', main, 'soak', ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: temporary },
  });
  let output = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (data) => {
      output += data;
    });
  const status = new Promise<number | null>((resolve) => child!.once('close', resolve));
  return { child, output: () => output, status };
}

const parts = () =>
  execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(temporary));
/** A line of its own tells of each fault; the title has such words too. */
const struck = (text: string) => /^ {2}\S.* (killed|cut|stopped at once|replaced)$/m.test(text);
/** PostgreSQL's cluster is made in the temporary directory too. */
const leftOver = () => readdirSync(temporary).filter((name) => name.startsWith('flota-'));

test('a minute of everything at once: every message is stored once, nothing is stuck', async () => {
  const run = start('--minutes', '1', '--seed', '11');
  expect(await run.status, run.output()).toBe(0);
  expect(run.output()).toContain('every message is stored once, nothing is stuck, memory is flat');
  expect(run.output()).toMatch(/faults {7}\S/);
  expect(leftOver()).toEqual([]);
}, 420_000);

test('Ctrl-C ends it within seconds, tells what it has found so far, and leaves no process and no file', async () => {
  const run = start('--minutes', '5');
  await until(run.output, struck, 60_000);
  // As on a terminal, under npm: more than once.
  for (let i = 0; i < 3; i++) run.child.kill('SIGINT');
  expect(await run.status, run.output()).toBe(130);
  expect(run.output()).toMatch(/faults {7}\S/);
  expect(run.output()).toContain('so far every message that was acked is stored');
  expect(run.output()).toContain('everything is cleaned up');
  expect(leftOver()).toEqual([]);
  expect(parts()).toEqual([]);
}, 120_000);

test('killed at once, it leaves no process', async () => {
  const run = start('--minutes', '5');
  await until(run.output, struck, 60_000);
  run.child.kill('SIGKILL');
  await run.status;
  await until(parts, (left) => left.length === 0);
}, 120_000);
