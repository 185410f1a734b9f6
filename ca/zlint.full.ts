/** What zlint, which nobody here wrote, says of each kind of certificate, and of the CRL. Where it is not installed one line says so. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openAuthority } from './authority.ts';
import { issueKeyPair } from './key-pair.ts';
import { openWorkspace, type Workspace } from './test-openssl.ts';

const run = promisify(execFile);
const zlint = process.env.ZLINT ?? 'zlint';
const found = await run(zlint, ['-version']).then(
  () => true,
  () => false,
);
if (!found)
  console.log('zlint is not here: go install github.com/zmap/zlint/v3/cmd/zlint@latest, or ZLINT=<its path>');

let work: Workspace;
beforeAll(async () => {
  work = await openWorkspace();
  const authority = await openAuthority({ dir: `${work.dir}/ca`, crlUrl: 'http://crl.example/crl.pem' });
  const { root, issuing } = await authority.trust();
  await work.file('root.pem', root);
  await work.file('issuing.pem', issuing);
  for (const [profile, commonName, names] of [
    ['device', 'dev-1', []],
    ['broker', 'emqx.example', ['emqx.example', '10.0.0.1', 'fd00::1']],
    ['broker-node', 'node.emqx-0', ['emqx-0.example']],
    ['service', 'webhook.flota', []],
  ] as const) {
    const issued = await issueKeyPair(authority, { profile, commonName, names: [...names] });
    await work.file(`${profile}.pem`, issued.certificate);
    if (profile === 'device') await authority.revoke(issued.serial, 'keyCompromise');
  }
  await work.file('crl.pem', (await authority.crls())[0]!.pem);
});
afterAll(() => work.remove());

/** Lints with a finding, by their severity. */
async function lint(name: string): Promise<Record<string, string>> {
  const { stdout } = await run(
    zlint,
    ['-includeSources', 'RFC5280,RFC5480,RFC5891,RFC3279,RFC8813,Community', name],
    {
      cwd: work.dir,
    },
  );
  const all = JSON.parse(stdout) as Record<string, { result: string }>;
  return Object.fromEntries(
    Object.entries(all).flatMap(([lint, { result }]) =>
      ['pass', 'NA', 'NE'].includes(result) ? [] : [[lint, result]],
    ),
  );
}

it.runIf(found).each(['root', 'issuing', 'device', 'broker', 'broker-node', 'service', 'crl'])(
  'zlint has no remark on a %s',
  async (name) => {
    expect(await lint(`${name}.pem`)).toEqual({});
  },
);
