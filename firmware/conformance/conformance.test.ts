import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it, vi } from 'vitest';
import { program } from '#deploy/lab/primitives/programs.js';
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

it('a device that does not answer fails its cases', async () => {
  await expect(runSuite({ command: 'echo', only: 'refused' })).rejects.toThrow('cannot be enrolled');
});

// They are tried in `test:full` only, and sources change under them.
it('each planted fault of mutants.full.ts still fits the sources, and compiles', () => {
  const firmware = fileURLToPath(new URL('..', import.meta.url));
  const mutants = join(firmware, 'conformance/mutants');
  const dir = fs.mkdtempSync(join(tmpdir(), 'flota-mutants-'));
  const names = ['std=c11', 'D_DEFAULT_SOURCE', 'D_POSIX_C_SOURCE=200809L', 'DFLOTA_DELTA', 'DFLOTA_SEAL'];
  const flags = [...names, 'Wall', 'Wextra', 'Werror', 'fsyntax-only'].map((name) => `-${name}`);
  try {
    for (const name of ['agent', 'host'])
      fs.cpSync(join(firmware, name), join(dir, name), { recursive: true });
    for (const name of fs.readdirSync(mutants)) {
      const patch = join(mutants, name);
      const changed = fs.readFileSync(patch, 'utf8').matchAll(/^\+{3} b\/(\S+\.c)$/gm);
      execFileSync('patch', ['-p1', '-s', '-d', dir, '-i', patch]);
      execFileSync('clang-19', [...flags, ...[...changed].map(([, file]) => join(dir, file!))]);
      execFileSync('patch', ['-p1', '-s', '-R', '-d', dir, '-i', patch]);
    }
  } finally {
    fs.rmSync(dir, { recursive: true, force: true });
  }
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

it('a suite that is killed leaves no device behind', async () => {
  const dir = fs.mkdtempSync(join(tmpdir(), 'flota-killed-suite-'));
  const pidFile = join(dir, 'pid');
  const device = join(dir, 'device');
  fs.writeFileSync(device, `#!/bin/sh\n[ "$1" = --help ] || { echo $$ >${pidFile}; exec sleep 600; }\n`, {
    mode: 0o755,
  });
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  const suite = spawn(process.execPath, [...program(main), '--device', device], { stdio: 'ignore' });
  try {
    const pid = await vi.waitUntil(
      () => fs.existsSync(pidFile) && Number(fs.readFileSync(pidFile, 'utf8')),
      60_000,
    );
    expect(isAlive(pid)).toBe(true);
    suite.kill('SIGKILL');
    await vi.waitUntil(() => !isAlive(pid), 60_000);
  } finally {
    suite.kill('SIGKILL');
    fs.rmSync(dir, { recursive: true, force: true });
  }
});
