/** What a linter that is not ours says of each kind of certificate, and of the CRL. Needs python3 and a package index. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openAuthority } from './authority.ts';
import { issueKeyPair } from './key-pair.ts';
import { openWorkspace, type Workspace } from './test-openssl.ts';

const run = promisify(execFile);
let work: Workspace;

beforeAll(async () => {
  work = await openWorkspace();
  await run('python3', ['-m', 'venv', join(work.dir, 'python')]);
  await run(join(work.dir, 'python/bin/pip'), ['install', '--quiet', 'pkilint']);
  const authority = await openAuthority({ dir: join(work.dir, 'ca'), crlUrl: 'http://crl.example/crl.pem' });
  const { root, issuing } = await authority.trust();
  await work.file('root.pem', root);
  await work.file('issuing.pem', issuing);
  for (const [profile, commonName, names] of [
    ['device', 'dev-1', []],
    ['broker', 'emqx', ['host.example', '10.0.0.1', 'fd00::1']],
    ['broker-node', 'node.emqx-0', ['emqx-0.example']],
    ['service', 'webhook.flota', []],
  ] as const) {
    const { certificate } = await issueKeyPair(authority, { profile, commonName, names: [...names] });
    await work.file(`${profile}.pem`, certificate);
  }
  await work.file('crl.pem', (await authority.crls())[0]!.pem);
}, 600_000);
afterAll(() => work.remove());

/** Exits with the number of findings of this severity and above; so a finding rejects with it. */
const lint = (command: string, ...args: string[]) =>
  run(join(work.dir, 'python/bin', command), ['lint', '--severity', 'NOTICE', ...args], { cwd: work.dir });

it.each(['root', 'issuing', 'device', 'broker', 'broker-node', 'service'])(
  'pkilint has no remark on a %s',
  async (name) => {
    expect((await lint('lint_pkix_cert', `${name}.pem`)).stdout.trim()).toBe('');
  },
  60_000,
);

it('pkilint has no remark on the CRL', async () => {
  expect((await lint('lint_crl', '-t', 'CRL', '-p', 'PKIX', 'crl.pem')).stdout.trim()).toBe('');
}, 60_000);
