/**
 * lwIP and Mbed TLS for the emulated board (`firmware/board`): Debian's source packages at these versions, unpacked in the user's cache
 * by `npm test`, checked by apt against the archive's signature. Any user can; Debian 12's archive must be in reach.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const release = 'bookworm';
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
/** The same as in `firmware/board.mk`, which builds from there. */
const versions = { lwip: '2.1.3+dfsg1-2', mbedtls: '2.28.3-1' };
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'flota-tests');
const placeOf = ([name, version]: [string, string]) => join(cache, `${name}-${version}`);

const missing = () => Object.entries(versions).filter((source) => !existsSync(placeOf(source)));

/** Null when the board can be built, else why not. */
export function whyNoBoard(): string | null {
  const names = missing().map(([name, version]) => `${name} ${version}`);
  return names.length > 0 ? `no source package ${names.join(', ')} in ${cache}: run npm test` : null;
}

/** What cannot be had stays away: the test says so in one line. */
export function fetchBoardSources(): void {
  if (missing().length === 0) return;
  mkdirSync(cache, { recursive: true });
  const dir = mkdtempSync(join(cache, 'sources-'));
  try {
    fetchInto(dir);
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: Buffer };
    const lines = (stderr?.toString() || message).trim().split('\n');
    process.stderr.write(`lwIP and Mbed TLS could not be fetched: ${lines.at(-1)}\n`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function fetchInto(dir: string): void {
  const options = [
    `Dir::State::lists=${join(dir, 'lists')}`,
    `Dir::Etc::sourcelist=${join(dir, 'sources.list')}`,
    'Dir::Etc::sourceparts=-',
    `Dir::Cache=${join(dir, 'cache')}`,
    // As root, apt would fetch as a user who may not write here.
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option]);
  const apt = (...args: string[]) =>
    execFileSync('apt-get', [...options, '-qq', ...args], { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] });
  mkdirSync(join(dir, 'lists/partial'), { recursive: true });
  mkdirSync(join(dir, 'cache/archives/partial'), { recursive: true });
  writeFileSync(
    join(dir, 'sources.list'),
    `deb-src [signed-by=${keyring}] ${findArchive()} ${release} main\n`,
  );
  apt('update');
  for (const source of missing()) {
    const [name, version] = source;
    apt('source', '--download-only', `${name}=${version}`);
    const unpacked = join(dir, name);
    // apt has checked it.
    const file = `${name}_${version}.dsc`;
    execFileSync('dpkg-source', ['--no-check', '-x', file, unpacked], {
      cwd: dir,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    renameSync(unpacked, placeOf(source));
  }
}

/** Where this machine has its packages from, if that is a Debian of this release. */
function findArchive(): string {
  const args = ['indextargets', '--format', '$(REPO_URI)', 'Identifier: Packages', `Codename: ${release}`];
  const found = execFileSync('apt-get', [...args, 'Label: Debian'], { encoding: 'utf8' });
  return found.split('\n')[0] || 'http://deb.debian.org/debian';
}
