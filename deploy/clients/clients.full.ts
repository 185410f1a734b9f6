/** The API by clients that tools nobody here wrote have generated from its OpenAPI document: each registers a firmware and deploys it. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildImage } from '#firmware/virtual/image.ts';
import { until } from '../lab/primitives/until.ts';
import { readDeployment, unwrap } from '../lab/rest.ts';
import { startTestSystem, type TestSystem } from '../lab/testing.ts';

const pythonGenerator = 'openapi-python-client==0.29.1';
const run = promisify(execFile);
let system: TestSystem;
let device: string;
let token: string;
let dir: string;

beforeAll(async () => {
  system = await startTestSystem();
  const { devices } = await system.start(1);
  device = devices[0]!.id;
  const { tokens } = system.rest.api;
  token = (await unwrap(tokens.$post({ json: { name: 'generated clients', role: 'operator' } }))).secret;
  dir = await mkdtemp(join(tmpdir(), 'flota-clients-'));
  await cp(fileURLToPath(new URL('.', import.meta.url)), dir, {
    recursive: true,
    filter: (path) => !path.includes('node_modules'),
  });
}, 120_000);
afterAll(async () => {
  await system?.close();
  await rm(dir, { recursive: true, force: true });
});

/** What the program is called with; it must be there for the device's virtual hardware. */
async function argumentsFor(version: string): Promise<string[]> {
  const file = join(dir, `${version}.bin`);
  await writeFile(file, buildImage({ version, sizeBytes: 100_000, selfTest: 'pass', seed: 5 }));
  return [system.stack.url, token, file, version, device];
}

async function runsAfter(deployment: string, version: string): Promise<void> {
  const ended = await until(
    () => readDeployment(system.rest, deployment),
    ({ state }) => state === 'completed',
    120_000,
  );
  expect([ended.firmware.version, ended.counts.succeeded]).toEqual([version, 1]);
}

test('openapi-typescript and openapi-fetch: what they generate compiles, and deploys', async () => {
  const cwd = join(dir, 'typescript');
  const bin = (name: string) => join(cwd, 'node_modules/.bin', name);
  await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd });
  await run(bin('openapi-typescript'), [`${system.stack.url}/api/openapi.json`, '-o', 'flota.ts'], { cwd });
  await run(bin('tsc'), ['--project', '.'], { cwd });
  const args = await argumentsFor('7.0.1');
  const { stdout } = await run(process.execPath, [join(cwd, 'built/deploy.js'), ...args]);
  await runsAfter(stdout.trim(), '7.0.1');
}, 400_000);

test('openapi-python-client: it generates all but the upload of a CSV file, and deploys', async () => {
  const bin = (name: string) => join(dir, 'venv/bin', name);
  await run('python3', ['-m', 'venv', join(dir, 'venv')]);
  await run(bin('pip'), ['install', '--quiet', pythonGenerator]);
  const from = ['--url', `${system.stack.url}/api/openapi.json`];
  const said = await run(
    bin('openapi-python-client'),
    ['generate', ...from, '--meta', 'none', '--output-path', 'python/flota_client'],
    { cwd: dir },
  );
  const left = (said.stdout + said.stderr)
    .split('\n')
    .filter((line) => /^(WARNING|ERROR|Unable to process)/.test(line));
  expect(left).toEqual([expect.stringContaining('POST /api/devices/import')]);
  const args = await argumentsFor('7.0.2');
  const { stdout } = await run(bin('python'), [join(dir, 'python/deploy.py'), ...args]);
  await runsAfter(stdout.trim(), '7.0.2');
}, 400_000);
