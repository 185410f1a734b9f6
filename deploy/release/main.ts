/** `npm run release`. */
import '#deploy/lab/primitives/closed-pipe.ts';
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readDocument } from '#webhook/docs/document.ts';
import { writeArtefacts } from './artefacts.ts';
import { closeSection, sectionOf } from './changelog.ts';
import { findBreaks, readContracts } from './contract.ts';
import { ReleaseError } from './errors.ts';
import { readVersion, writeVersion } from './versions.ts';

const help = `Usage: npm run release -- [command] [options]

  prepare VERSION   writes VERSION into every file that has to say it, and closes the section "Unreleased" of
                    CHANGELOG.md; look at it and commit it
  build             makes the files of the release of this commit (the default)

Options of build:
  --out DIR         where to (default: release)
  --tag             tags the commit as v<version>, with its section of CHANGELOG.md
  --help            this text

Build refuses uncommitted changes, versions that differ, a version that CHANGELOG.md does not know, and an API that
breaks clients of the last release (compared by oasdiff, which Go builds).
`;

const root = fileURLToPath(new URL('../../', import.meta.url));
const git = (...args: string[]) =>
  execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
const say = (text: string) => process.stdout.write(`${text}\n`);

function prepare(version: string | undefined): void {
  if (!version || !/^\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?$/.test(version))
    throw new ReleaseError('usage', 'prepare wants a version such as 0.2.0');
  const path = join(root, 'CHANGELOG.md');
  const closed = closeSection(readFileSync(path, 'utf8'), version, new Date().toISOString().slice(0, 10));
  writeVersion(root, version);
  writeFileSync(path, closed);
  say(`Everything says ${version}. Look at CHANGELOG.md, commit, then: npm run release -- --tag`);
}

async function build(out: string, isTagged: boolean): Promise<void> {
  const version = readVersion(root);
  const notes = sectionOf(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'), version);
  if (!notes)
    throw new ReleaseError(
      'changelog',
      `CHANGELOG.md has no section of ${version}: npm run release -- prepare ${version}`,
    );
  const tag = `v${version}`;
  if (isTagged && git('tag', '--list', tag))
    throw new ReleaseError('tag_taken', `the tag ${tag} is there already`);
  const changed = git('status', '--porcelain');
  if (changed) throw new ReleaseError('tree_dirty', `not committed:\n${changed}`);

  const now = await readDocument();
  for (const { version: of, document } of await readContracts()) {
    say(`Comparing the API with that of ${of} …`);
    const breaks = await findBreaks(document, now);
    if (breaks.length > 0)
      throw new ReleaseError(
        'contract_broken',
        `the API breaks clients of ${of} (deploy/release/README.md tells how to accept it):\n  ${breaks.join('\n  ')}`,
      );
  }

  say('Building …');
  const [commit, epoch] = [git('rev-parse', 'HEAD'), Number(git('log', '-1', '--format=%ct'))];
  const dist = join(root, 'dist');
  execFileSync('npm', ['run', '--silent', 'build'], {
    cwd: root,
    env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const files = await writeArtefacts(out, dist, { root, version, commit, epoch, repository: readRemote() });
  for (const name of files)
    say(`  ${(statSync(join(out, name)).size / 1024).toFixed(0).padStart(8)} KiB  ${name}`);
  if (isTagged) {
    git('tag', '--annotate', tag, '--message', `Flota ${version}\n\n${notes}`);
    say(`Tagged ${tag}; git push origin ${tag} publishes it.`);
  }
}

function readRemote(): string | null {
  try {
    const url = new URL(git('remote', 'get-url', 'origin'));
    // Never with somebody's password in it.
    return url.protocol === 'https:' ? `${url.origin}${url.pathname}` : null;
  } catch {
    return null;
  }
}

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { out: { type: 'string' }, tag: { type: 'boolean' }, help: { type: 'boolean' } },
  });
  const [command = 'build', ...rest] = positionals;
  if (values.help) process.stdout.write(help);
  else if (command === 'prepare' && rest.length <= 1) prepare(rest[0]);
  else if (command === 'build' && rest.length === 0)
    await build(resolve(values.out ?? 'release'), values.tag ?? false);
  else
    throw new ReleaseError(
      'usage',
      `unknown command ${positionals.join(' ')}; see npm run release -- --help`,
    );
} catch (error) {
  const isOurs =
    error instanceof ReleaseError || (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS');
  if (!isOurs) throw error;
  process.stderr.write(`release: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
