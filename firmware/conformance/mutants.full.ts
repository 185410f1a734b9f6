/** The suite itself is put to the test: devices that are wrong in one thing, each of which the case that is about it must find. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it } from 'vitest';
import { built, make } from '../make.ts';
import { runSuite } from './suite.ts';

const firmware = fileURLToPath(new URL('..', import.meta.url));
const patches = fileURLToPath(new URL('mutants/', import.meta.url));

const lossy = built('lossy.so');
beforeAll(() => make('build/lossy.so', 'build/flota-device'), 600_000);

/** Builds flota-device from a patched copy of the sources; returns the program. */
function build(dir: string, patch: string): string {
  for (const name of ['agent', 'host', 'Makefile', 'processors.mk', 'board.mk'])
    fs.cpSync(join(firmware, name), join(dir, name), { recursive: true });
  execFileSync('patch', ['-p1', '-s', '-d', dir, '-i', patch]);
  execFileSync('make', ['-s', '-C', dir, 'build/flota-device'], { stdio: 'pipe' });
  return join(dir, 'build/flota-device');
}

async function isHeld(command: string, only: string): Promise<boolean[]> {
  return (await runSuite({ command, lossy, only })).map(({ ok }) => ok);
}

const mutants = fs.readdirSync(patches).map((file) => {
  const only = /^Found by: (.+)$/m.exec(fs.readFileSync(join(patches, file), 'utf8'))?.[1];
  if (!only) throw new Error(`${file} does not say which case finds it`);
  return { name: file.replace('.patch', ''), patch: join(patches, file), only };
});

it.each(mutants)('$name is found', { timeout: 240_000 }, async ({ patch, only }) => {
  const dir = fs.mkdtempSync(join(tmpdir(), 'flota-mutant-'));
  try {
    expect(await isHeld(build(dir, patch), only)).toContain(false);
  } finally {
    fs.rmSync(dir, { recursive: true, force: true });
  }
});

it('the device without any of these faults is not blamed', { timeout: 600_000 }, async () => {
  for (const { only } of mutants)
    expect([only, ...(await isHeld(built('flota-device'), only))]).toEqual([only, true]);
});
