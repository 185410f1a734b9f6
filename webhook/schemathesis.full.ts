/** A running copy against its own OpenAPI document, by a tool that nobody here wrote: schemathesis, from PyPI. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { createInspector } from '#emqx/inspect.ts';
import { apiToken } from './testing.ts';
import { startSuite } from './testing-suite.ts';

const version = '4.32.5';
const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'missing_required_header',
  'ignored_auth',
  'use_after_free',
  'negative_data_rejection',
  'ensure_resource_availability',
];
// Not among them, because what they want is not promised: `positive_data_acceptance` (a body by the schema may name a region that there
// is not, or a certificate that is none), `unsupported_method` and `allow_header_conformance` (they hold "/api/devices/import" for no
// device's path, and a device may be called that; `edge.test.ts` walks all methods).

/** How often each status was answered, by the request log. */
const counts = new Map<number, number>();
const { webhook } = await startSuite({
  log: (_, message, fields) => {
    if (message !== 'request') return;
    const { status } = fields as { status: number };
    counts.set(status, (counts.get(status) ?? 0) + 1);
  },
  // The broker is away.
  inspector: createInspector({ url: 'http://127.0.0.1:1', key: 'k', secret: 's' }),
});
const dir = await mkdtemp(join(tmpdir(), 'flota-schemathesis-'));
afterAll(() => rm(dir, { recursive: true }));

const run = promisify(execFile);

test('every answer to made-up requests is as the OpenAPI document says, and none is a fault of ours', async () => {
  await run('python3', ['-m', 'venv', dir]);
  await run(join(dir, 'bin/pip'), ['install', '--quiet', `schemathesis==${version}`]);
  const device = await webhook.device();
  await webhook.deploy((await webhook.firmware()).id, device);
  const config = join(dir, 'schemathesis.toml');
  await writeFile(config, `[auth.openapi.bearer]\nbearer = "${apiToken}"\n`);
  const found = await run(
    join(dir, 'bin/st'),
    [
      ...['--config-file', config, 'run', `${webhook.copy.url}/api/openapi.json`],
      ...['--checks', checks.join()],
      ...['--phases', 'examples,coverage,fuzzing', '--max-examples', '20', '--seed', '1'],
      // Never ends: events until the reader goes.
      ...['--exclude-path', '/api/live'],
      ...['--continue-on-failure', '--suppress-health-check', 'all', '--request-timeout', '60'],
      ...['--generation-database', 'none', '--no-color'],
    ],
    { cwd: dir, maxBuffer: 64 * 1024 * 1024 },
  ).catch((error: { stdout: string; stderr: string }) => ({ ...error, failed: true }));
  expect('failed' in found ? found.stdout + found.stderr : '').toBe('');
  // It was let in, and took the routes at their word as well as not.
  expect(counts.get(200)).toBeGreaterThan(300);
  expect(counts.get(400)).toBeGreaterThan(300);
  expect([...counts.keys()].filter((status) => status >= 500)).toEqual([]);
}, 1_200_000);
