/** checkov's remarks: each is mended or declined with a reason (.checkov.yaml), so it finds nothing. */
import { execFile, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';

const run = promisify(execFile);
const here = dirname(fileURLToPath(import.meta.url));
/** Another release knows other checks: a new one is read, and then named here. */
const version = '3.3.30';

let dir: string;
let checkov = 'checkov';
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'flota-checkov-'));
  if (spawnSync(checkov, ['--version'], { encoding: 'utf8' }).stdout?.trim() === version) return;
  await run('python3', ['-m', 'venv', dir]);
  await run(join(dir, 'bin/pip'), ['install', '--quiet', `checkov==${version}`]);
  checkov = join(dir, 'bin/checkov');
}, 600_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Report {
  results: { failed_checks: { check_id: string; resource: string }[] };
  summary: { passed: number; parsing_errors: number };
}
async function findings(cwd: string, ...args: string[]): Promise<{ failed: string[]; passed: number }> {
  const options = { cwd, maxBuffer: 64 << 20, timeout: 300_000 };
  const { stdout } = await run(
    checkov,
    ['--directory', '.', ...args, '--output', 'json', '--soft-fail'],
    options,
  );
  const { results, summary } = JSON.parse(stdout) as Report;
  expect(summary.parsing_errors).toBe(0);
  return {
    failed: results.failed_checks.map((one) => `${one.check_id} ${one.resource}`),
    passed: summary.passed,
  };
}

test('finds nothing in the Terraform configuration that is neither mended nor declined', async () => {
  const { failed, passed } = await findings(here);
  expect(failed).toEqual([]);
  expect(passed).toBeGreaterThan(300);
}, 300_000);

test('declines nothing in vain: each check that is skipped would fail', async () => {
  // Elsewhere, for it reads that file by itself.
  const copy = join(dir, 'copy');
  cpSync(here, copy, { recursive: true, filter: (path) => !/\.(yaml|ts)$|\.terraform/.test(path) });
  const { failed } = await findings(copy, '--framework', 'terraform');
  const config = parse(readFileSync(join(here, '.checkov.yaml'), 'utf8')) as { 'skip-check': string[] };
  const skipped = config['skip-check'];
  for (const id of skipped) expect(failed.map((one) => one.split(' ')[0])).toContain(id);
}, 300_000);

test('finds nothing in the Dockerfiles', async () => {
  const { failed, passed } = await findings(join(here, '../image'), '--framework', 'dockerfile');
  expect(failed).toEqual([]);
  expect(passed).toBeGreaterThan(20);
}, 300_000);
