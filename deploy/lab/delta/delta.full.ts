import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyPatch } from '#webhook/firmware/patches/apply.ts';
import { makePatch } from '#webhook/firmware/patches/format.ts';
import { runDelta } from './delta.ts';
import { changes, pair } from './linker.ts';

it('a fleet takes a release by patch through power cuts, and who takes none gets it whole', async () => {
  const run = await runDelta({ devices: 10, sizeBytes: 128 * 1024, change: 'release', seed: 3 }, () => {});
  expect(run).toMatchObject({ state: 'completed', updated: 10, applied: 8, fellBack: 0 });
  const [bytes, today] = [run.withPatches, run.without].map((it) => it.bytes / it.devices);
  expect(today! / bytes!).toBeGreaterThan(5);
  expect(run.savedBytes).toBeGreaterThan(run.imageBytes * 8 * 0.8);
}, 600_000);

describe('detools 0.53', () => {
  let dir: string;
  let detools: string;
  const file = (name: string) => join(dir, name);
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'flota-detools-'));
    execFileSync('python3', ['-m', 'venv', file('venv')]);
    execFileSync(file('venv/bin/pip'), ['install', '-q', 'detools==0.53.0']);
    detools = file('venv/bin/detools');
    expect(existsSync(detools)).toBe(true);
  }, 300_000);
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it.each(changes)(
    'applies our patches, and we apply its own: %s',
    (what) => {
      const [old, next] = pair(what, 11, 96 * 1024);
      writeFileSync(file('old'), old);
      writeFileSync(file('next'), next);
      writeFileSync(file('ours'), makePatch(old, next));
      execFileSync(detools, ['apply_patch', file('old'), file('ours'), file('made')]);
      expect(Buffer.compare(readFileSync(file('made')), next)).toBe(0);
      for (const compression of ['none', 'crle', 'heatshrink']) {
        execFileSync(detools, ['create_patch', '-c', compression, file('old'), file('next'), file('theirs')]);
        expect(Buffer.compare(applyPatch(old, readFileSync(file('theirs'))), next)).toBe(0);
      }
    },
    120_000,
  );
});
