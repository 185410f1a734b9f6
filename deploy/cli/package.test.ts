/** How `flota` reaches its user: from a checkout, from the packed tarball; and its client, which is the API's own. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import product from '../../package.json' with { type: 'json' };
import { digestOf, readUsed } from './document.ts';
import { packageCli } from './package.ts';
import { startFlota } from './testing.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'flota-cli-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const npm = (cwd: string, command: string, ...args: string[]) =>
  execFileSync(command, args, { cwd, encoding: 'utf8', env: { ...process.env, npm_config_offline: 'true' } });

test('the types of the client are of the API as it is; if not: npm run cli:types', async () => {
  const [first] = readFileSync(join(root, 'deploy/cli/api.ts'), 'utf8').split('\n');
  expect(first).toContain(digestOf(await readUsed()));
});

test('npx runs it in a checkout', () => {
  expect(npm(root, 'npx', 'flota', '--version')).toBe(`${product.version}\n`);
});

test('the packed tarball is one program without dependencies, which npm installs without a registry', async () => {
  await packageCli(join(dir, 'cli'));
  const [packed] = JSON.parse(npm(dir, 'npm', 'pack', './cli', '--json')) as {
    filename: string;
    files: { path: string }[];
  }[];
  expect(packed!.files.map(({ path }) => path)).toEqual(['LICENSE', 'README.md', 'flota.js', 'package.json']);
  npm(dir, 'npm', 'install', '--prefix', join(dir, 'there'), '--global', `./${packed!.filename}`);
  const program = join(dir, 'there/bin/flota');
  expect(execFileSync(program, ['--version'], { encoding: 'utf8' })).toBe(`${product.version}\n`);
  expect(await startFlota(['devices', 'list'], {}, program).ended).toMatchObject({ status: 2 });
  // Who reads no further has seen enough.
  const cut = spawn(program, ['--help']);
  cut.stdout.destroy();
  const [said, [status]] = await Promise.all([text(cut.stderr), once(cut, 'exit')]);
  expect({ said, status }).toEqual({ said: '', status: 0 });
}, 120_000);
